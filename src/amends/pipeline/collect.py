"""From a run directory's finished files to results.json: measurements, rows, comparisons, yields and provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amends import __version__
from amends.config.methods import stages_for, with_starts
from amends.config.primary import row_name
from amends.config.settings import Configuration
from amends.evaluation.measurement import Measurement
from amends.evaluation.results import Primary, Results, compare, corrected, system_row
from amends.evaluation.seeds import pooled_comparisons, pooled_row
from amends.evaluation.suites.base import SUITE_KINDS
from amends.pipeline.equal_answers import same_draws, sameness
from amends.prompts import load_language
from amends.stages.base import STAGES
from amends.storage.files import file_digest, read_as
from amends.storage.manifests import Manifest
from amends.storage.run_directory import RunDirectory


def collect_results(configuration: Configuration, directory: Path, judges: dict[str, Any]) -> Results:
    """Everything that a run's results.json holds. Reads finished files only; the same files give the same bytes.

    `judges`: facts of those that evaluated and gated, by role, and how far they agree.
    """
    measured = _measured(configuration, directory)
    return Results(
        notes=sameness(configuration, directory),
        model=configuration.model,
        seed=configuration.seed,
        **_compared([measured], configuration),
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
            replace(one, method=row_name(variant, one.method, part.methods))
            for variant, part in variants.items()
            for one in _measured(part, runs[variant][number])
        ]
        for number in range(len(configuration.seeds) or 1)
    ]
    all_runs = {variant: [read_as(Results, RunDirectory(one).results) for one in runs[variant]] for variant in variants}
    own = {variant: found[0] for variant, found in all_runs.items()}
    return Results(
        notes=_notes(variants, runs, all_runs),
        model=configuration.model,
        seed=configuration.seeds[0] if configuration.seeds else configuration.seed,
        seeds=configuration.seeds,
        **_compared(by_seed, configuration),
        yields=_merged({variant: one.yields for variant, one in own.items()}),
        judges=next(iter(own.values())).judges,
        data={
            "amends": __version__,
            "sets": _merged({variant: one.data["sets"] for variant, one in own.items()}),
            "training": {
                row_name(variant, method, variants[variant].methods): facts
                for variant, one in own.items()
                for method, facts in one.data["training"].items()
            },
        },
    )


def _notes(
    variants: Mapping[str, Configuration],
    runs: Mapping[str, Sequence[Path]],
    results: Mapping[str, Sequence[Results]],
) -> list[str]:
    """Those of each run behind its name, and what only several seeds show."""
    found = []
    for variant, part in variants.items():
        for path, one in zip(runs[variant], results[variant], strict=True):
            name = ", ".join(dict.fromkeys(filter(None, (variant, path.name))))
            found += [f"{name}: {note}" for note in one.notes]
        found += [f"{variant}: {note}" if variant else note for note in same_draws(part, runs[variant])]
    return found


def _merged(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Facts of all variants by name; where a variant's differ from the first ones, as `NAME of VARIANT`."""
    merged: dict[str, Any] = {}
    for variant, named in facts.items():
        for name, fact in named.items():
            if merged.setdefault(name, fact) != fact:
                merged[f"{name} of {variant}"] = fact
    return merged


def _compared(by_seed: list[list[Measurement]], configuration: Configuration) -> dict[str, Any]:
    """Rows and comparisons: of one seed with its tests over prompts, of several over prompts and seeds."""
    primary, seed = _primary(configuration), configuration.seed
    pairs = [_turned(pair, primary) for pair in _pairs(by_seed[0])]
    if len(by_seed) == 1:
        systems = [system_row(one, seed) for one in by_seed[0]]
        found = [one for a, b in pairs for one in compare(a, b, seed)]
    else:
        of_system = {(one[0].system, one[0].suite): list(one) for one in zip(*by_seed, strict=True)}
        systems = [pooled_row(measured) for measured in of_system.values()]
        found = [
            one
            for a, b in pairs
            for one in pooled_comparisons(of_system[a.system, a.suite], of_system[b.system, b.suite])
        ]
    return {"systems": systems, "comparisons": corrected(found, primary), "primary": primary}


def _primary(configuration: Configuration) -> Primary | None:
    named = configuration.primary
    if named is None:
        return None
    a, b = (f"{method}/{named.inference}" for method in (named.a, named.b))
    return Primary(a=a, b=b, suite=named.suite, metric=named.measured_by(configuration.suites))


def _turned(pair: tuple[Measurement, Measurement], primary: Primary | None) -> tuple[Measurement, Measurement]:
    """A pair, as the primary comparison names it where it is of the same systems."""
    a, b = pair
    return (b, a) if primary and (primary.a, primary.b) == (b.system, a.system) else pair


def _measured(configuration: Configuration, directory: Path) -> list[Measurement]:
    language = load_language(configuration.language, configuration.guides)
    return [
        SUITE_KINDS[settings.kind].measure(RunDirectory(directory), method, inference, suite, language)
        for method in configuration.methods
        for inference in configuration.respond.inference
        for suite, settings in configuration.suites.items()
    ]


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
    return {stage: Manifest(RunDirectory(directory).rows(STAGES[stage].writes), {}).fact("yield") for stage in stages}


def _sets(configuration: Configuration, directory: Path) -> dict[str, Any]:
    """Where each set is from, how many rows it has, and their hash."""
    files = RunDirectory(directory)
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
        *("chosen_longer", "reward_steps", "reward_tokens", "verdicts"),
    )
    files = {method: RunDirectory(directory).training(method) for method in with_starts(configuration.methods)}
    return {
        method: {key: value for key, value in read_as(dict[str, Any], path).items() if key in wanted}
        for method, path in files.items()
        if path.exists()
    }
