"""From a run directory's finished files to results.json: measurements, rows, comparisons, yields and provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amends import __version__
from amends.artifacts import manifest_path
from amends.config import Configuration
from amends.data.rows import read_rows
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, compare, system_row
from amends.evaluation.seeds import pooled_comparisons, pooled_row
from amends.layout import Layout
from amends.making import MAKING, stages_for
from amends.methods import with_starts
from amends.records import Inference, Instruction, ReferenceLoss, Response, SuiteKind, Verdict
from amends.refusal import is_refusal
from amends.store import file_digest, read_as, read_json


def collect_results(configuration: Configuration, directory: Path, judges: dict[str, Any]) -> Results:
    """Everything that a run's results.json holds. Reads finished files only; the same files give the same bytes.

    `judges`: facts of those that evaluated and gated, by role, and how far they agree.
    """
    measured = _measured(configuration, directory)
    return Results(
        model=configuration.model,
        seed=configuration.seed,
        **_compared([measured], configuration.seed),
        yields=_yields(configuration, directory),
        judges=judges,
        data={
            "amends": __version__,
            "sets": _sets(configuration, directory),
            "training": _training(configuration, directory),
        },
    )


def pooled_results(
    configuration: Configuration, variants: Mapping[str, Configuration], runs: Mapping[str, Sequence[Path]]
) -> Results:
    """The results of several runs as one: of seeds, which are pooled, and of variants, each a method of its own.

    What is said of sets, yields and training is the first seed's, and of the judges the first variant's too.

    Args:
        variants: configurations by name; "" is the name of the only one.
        runs: the run directories of each variant, one a seed; each has its results.json.
    """
    by_seed = [
        [
            replace(one, method=_name(variant, one.method, part))
            for variant, part in variants.items()
            for one in _measured(part, runs[variant][number])
        ]
        for number in range(len(configuration.seeds) or 1)
    ]
    own = {variant: read_as(Results, Layout(runs[variant][0]).results) for variant in variants}
    return Results(
        model=configuration.model,
        seed=configuration.seeds[0] if configuration.seeds else configuration.seed,
        seeds=configuration.seeds,
        **_compared(by_seed, configuration.seed),
        yields=_merged({variant: one.yields for variant, one in own.items()}),
        judges=next(iter(own.values())).judges,
        data={
            "amends": __version__,
            "sets": _merged({variant: one.data["sets"] for variant, one in own.items()}),
            "training": {
                _name(variant, method, variants[variant]): facts
                for variant, one in own.items()
                for method, facts in one.data["training"].items()
            },
        },
    )


def _merged(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Facts of all variants by name; where a variant's differ from the first ones, as `NAME of VARIANT`."""
    merged: dict[str, Any] = {}
    for variant, named in facts.items():
        for name, fact in named.items():
            if merged.setdefault(name, fact) != fact:
                merged[f"{name} of {variant}"] = fact
    return merged


def _name(variant: str, method: str, configuration: Configuration) -> str:
    """A variant's only method goes by the variant's name, and not what that goes on from."""
    if not variant:
        return method
    return variant if configuration.methods == [method] else f"{variant}.{method}"


def _compared(by_seed: list[list[Measurement]], seed: int) -> dict[str, Any]:
    """Rows and comparisons: of one seed with its tests over prompts, of several over prompts and seeds."""
    pairs = _pairs(by_seed[0])
    if len(by_seed) == 1:
        return {
            "systems": [system_row(one, seed) for one in by_seed[0]],
            "comparisons": [found for a, b in pairs for found in compare(a, b, seed)],
        }
    of_system = {(one[0].system, one[0].suite): list(one) for one in zip(*by_seed, strict=True)}
    return {
        "systems": [pooled_row(measured) for measured in of_system.values()],
        "comparisons": [
            comparison
            for a, b in pairs
            for comparison in pooled_comparisons(of_system[a.system, a.suite], of_system[b.system, b.suite])
        ],
    }


def _measured(configuration: Configuration, directory: Path) -> list[Measurement]:
    return [
        _measure(directory, method, inference, suite, settings.kind)
        for method in configuration.methods
        for inference in configuration.respond.inference
        for suite, settings in configuration.suites.items()
    ]


def _measure(directory: Path, method: str, inference: Inference, suite: str, kind: SuiteKind) -> Measurement:
    files = Layout(directory)
    if kind == "benign":
        losses = read_rows(files.measured(method, inference, suite, "losses"), ReferenceLoss)
        return measure(method, inference, suite, kind, losses=losses)
    verdicts = read_rows(files.measured(method, inference, suite, "verdicts"), Verdict)
    rows = read_rows(files.measured(method, inference, suite, "responses"), Response)
    prompts = read_rows(files.suite(suite), Instruction)
    categories = ((row.id, row.category) for row in prompts if row.category)
    # An empty answer helps no more than a refusal, and would pass for an answer.
    responses = (
        (row.id, not row.response.strip() or is_refusal(row.response), not row.finished, len(row.response.split()))
        for row in rows
    )
    return measure(method, inference, suite, kind, verdicts, responses, categories=categories)


def _pairs(measured: list[Measurement]) -> list[tuple[Measurement, Measurement]]:
    """What is worth comparing: methods at the same inference, and each guided system with the first method unguided.

    The second is the paper's claim: analysis and guidance together against the plain model.
    """
    methods = list(dict.fromkeys(one.method for one in measured))

    def worth(a: Measurement, b: Measurement) -> bool:
        same = a.inference == b.inference and methods.index(b.method) < methods.index(a.method)
        claim = a.inference == "guided" and b.inference == "unguided" and b.method == methods[0]
        return a.suite == b.suite and (same or claim)

    return [(a, b) for a in measured for b in measured if worth(a, b)]


def _yields(configuration: Configuration, directory: Path) -> dict[str, dict[str, Any]]:
    """Of the stages that the methods at hand need; what lies there from others is not this run's."""
    stages = stages_for(configuration.methods, configuration.shares)
    return {stage: read_json(manifest_path(Layout(directory).rows(MAKING[stage].writes)))["yield"] for stage in stages}


def _sets(configuration: Configuration, directory: Path) -> dict[str, Any]:
    """Where each set is from, how many rows it has, and their hash."""
    files = Layout(directory)
    sets = {name: (one.source, files.rows(name)) for name, one in configuration.training_sets().items()}
    sets |= {f"suite {name}": (one.source, files.suite(name)) for name, one in configuration.suites.items()}
    return {name: _set(source, path) for name, (source, path) in sets.items()}


def _set(source: str, path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        rows = sum(1 for _ in stream)
    return {"source": source, "rows": rows, "sha256": file_digest(path)}


def _training(configuration: Configuration, directory: Path) -> dict[str, dict[str, Any]]:
    """What each method was trained with, those included that others go on from."""
    wanted = (
        *("samples", "steps", "tokens_per_epoch", "target_tokens_per_epoch", "trained_tokens", "epochs"),
        *("chosen_longer", "reward_steps", "reward_tokens"),
    )
    files = {method: Layout(directory).training(method) for method in with_starts(configuration.methods)}
    return {
        method: {key: value for key, value in read_json(path).items() if key in wanted}
        for method, path in files.items()
        if path.exists()
    }
