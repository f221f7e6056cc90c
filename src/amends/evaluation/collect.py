"""From a run directory's finished files to results.json: measurements, rows, comparisons, yields and provenance."""

from pathlib import Path
from typing import Any

from amends import __version__
from amends.config import Configuration
from amends.data.rows import read_rows
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, compare, system_row
from amends.evaluation.seeds import pooled_comparisons, pooled_row
from amends.judges.named import load_judge
from amends.judges.refusal import is_refusal
from amends.records import Inference, Instruction, ReferenceLoss, Response, SuiteKind, Verdict
from amends.store import read_json


def collect_results(configuration: Configuration, directory: Path) -> Results:
    """Everything that results.json holds. Reads finished files only; the same files give the same bytes."""
    measured, seed = _measured(configuration, directory), configuration.seed
    return Results(
        model=configuration.model,
        seed=seed,
        systems=[system_row(one, seed) for one in measured],
        comparisons=[found for a, b in _pairs(measured) for found in compare(a, b, seed)],
        yields=_yields(directory),
        judges=_judges(configuration, directory),
        data=_data(configuration, directory),
    )


def pooled_results(configuration: Configuration, directories: list[Path]) -> Results:
    """The results of the same configuration over several seeds, each in a run directory of its own."""
    by_seed = [_measured(configuration, directory) for directory in directories]
    of_system = {(one[0].system, one[0].suite): list(one) for one in zip(*by_seed, strict=True)}
    found = [
        comparison
        for a, b in _pairs(by_seed[0])
        for comparison in pooled_comparisons(of_system[a.system, a.suite], of_system[b.system, b.suite])
    ]
    return Results(
        model=configuration.model,
        seed=configuration.seeds[0],
        seeds=configuration.seeds,
        systems=[pooled_row(measured) for measured in of_system.values()],
        comparisons=found,
        judges=_judges(configuration, directories[0]),
        data=_data(configuration, directories[0]),
    )


def _measured(configuration: Configuration, directory: Path) -> list[Measurement]:
    return [
        _measure(directory, method, inference, suite, settings.kind)
        for method in configuration.methods
        for inference in configuration.respond.inference
        for suite, settings in configuration.suites.items()
    ]


def _measure(directory: Path, method: str, inference: Inference, suite: str, kind: SuiteKind) -> Measurement:
    stem = f"{inference}.{suite}"
    if kind == "benign":
        losses = read_rows(directory / method / f"{stem}.losses.jsonl", ReferenceLoss)
        return measure(method, inference, suite, kind, losses=losses)
    verdicts = read_rows(directory / method / f"{stem}.verdicts.jsonl", Verdict)
    rows = read_rows(directory / method / f"{stem}.responses.jsonl", Response)
    prompts = read_rows(directory / "suites" / f"{suite}.jsonl", Instruction)
    categories = ((row.id, row.category) for row in prompts if row.category)
    responses = ((row.id, is_refusal(row.response), not row.finished) for row in rows)
    return measure(method, inference, suite, kind, verdicts, responses, categories=categories)


def _pairs(measured: list[Measurement]) -> list[tuple[Measurement, Measurement]]:
    """What is worth comparing: methods at the same inference, and each guided system with the first method unguided.

    The second is the paper's claim: analysis and guidance together against the plain model.
    """
    methods = list(dict.fromkeys(one.method for one in measured))
    pairs = []
    for a in measured:
        for b in measured:
            if a.suite != b.suite or a.system == b.system:
                continue
            earlier = [one.method for one in measured].index(b.method) < [one.method for one in measured].index(
                a.method
            )
            same = a.inference == b.inference and earlier
            claim = a.inference == "guided" and b.inference == "unguided" and b.method == methods[0]
            if same or claim:
                pairs.append((a, b))
    return pairs


def _yields(directory: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for stage, name in (("induce", "mistakes"), ("analyze", "analyses")):
        path = directory / f"{name}.jsonl.manifest.json"
        if path.exists():
            found[stage] = read_json(path)["yield"]
    return found


def _judges(configuration: Configuration, directory: Path) -> dict[str, Any]:
    roles = {"evaluation": load_judge(configuration.judge).facts, "gate": load_judge(configuration.gate).facts}
    agreement = directory / "agreement.json"
    return roles | ({"agreement": read_json(agreement)} if agreement.exists() else {})


def _data(configuration: Configuration, directory: Path) -> dict[str, Any]:
    sets: dict[str, Any] = {"instructions": configuration.instructions, "benign": configuration.benign}
    sets = {name: settings for name, settings in sets.items() if settings is not None}
    files = {name: directory / f"{name}.jsonl" for name in sets}
    files |= {f"suite {name}": directory / "suites" / f"{name}.jsonl" for name in configuration.suites}
    sets |= {f"suite {name}": settings for name, settings in configuration.suites.items()}
    described = {
        name: {
            "source": sets[name].source,
            "rows": sum(1 for _ in path.open("rb")),
            "sha256": read_json(path.with_name(path.name + ".manifest.json"))["sha256"],
        }
        for name, path in files.items()
    }
    methods = {
        method: {
            key: value
            for key, value in read_json(directory / method / "training.json").items()
            if key
            in (
                "samples",
                "steps",
                "tokens_per_epoch",
                "target_tokens_per_epoch",
                "trained_tokens",
                "epochs",
            )
        }
        for method in configuration.methods
        if (directory / method / "training.json").exists()
    }
    return {"amends": __version__, "sets": described, "training": methods}
