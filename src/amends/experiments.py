"""An experiment: one run, the same run with several seeds, or variants of it side by side."""

from pathlib import Path

from amends.checks import check_lengths, check_sets, refuse_foreign, run_facts
from amends.config import Configuration
from amends.config_file import variants
from amends.data.sources import load_instructions
from amends.errors import SampleError, YieldError
from amends.evaluation.collect import pooled_results
from amends.layout import Layout
from amends.locks import locked
from amends.pipeline import Run
from amends.progress import Reporter, Silent
from amends.report.render import write_report
from amends.store import write_json


def run_experiment(configuration: Configuration, directory: Path, reporter: Reporter | None = None) -> Path:
    """Runs a configuration whole, in `directory`, and returns its results.json. What is finished is skipped.

    With `seeds`, each has a whole run of its own in `seed-N/`; with `variants`, each has one in `NAME/` (and its seeds in
    there). What two variants have in common, equal in settings and inputs, is made once and copied. The directory's own
    results and report are over all of them. A variant in which nothing passes a gate is left out of them, and named.

    Raises:
        AmendsError: as `Run`; what is wrong with any variant is said before the first one starts.
        YieldError: no variant has results.
    """
    reporter = reporter or Silent()
    if not configuration.seeds and not configuration.variants:
        return Run(configuration, directory, reporter).run()
    parts = variants(configuration) if configuration.variants else {"": configuration}
    runs: dict[str, list[Run]] = {}
    for name, part in parts.items():
        others = [one.directory for earlier in runs.values() for one in earlier]
        runs[name] = [Run(one, place, reporter, others) for place, one in _seeds(part, directory / name).items()]
    first = next(iter(runs))  # which reads its sets itself, before all else
    read = [parts[first].training_sets()]
    for name, found in runs.items():
        found[0].check()
        sets = parts[name].training_sets()
        if sets not in read:
            check_sets(parts[name])
            read.append(sets)
        if name != first:
            rows = {key: load_instructions(one) for key, one in sets.items()}
            check_lengths(parts[name], rows, found[0].base.tokenizer)
        for one in found:
            refuse_foreign(one.configuration, one.directory)
    path = Layout(directory).results
    with locked(directory / ".lock", directory):
        refuse_foreign(configuration, directory)
        write_json(Layout(directory).run, run_facts(configuration))
        failed = _run_all(runs, reporter)
        finished = {name: [one.directory for one in found] for name, found in runs.items() if name not in failed}
        if not finished:
            raise YieldError(f"{directory}: no variant has results: " + "; ".join(failed.values()))
        results = pooled_results(configuration, {name: parts[name] for name in finished}, finished)
        results.data["without_results"] = failed
        write_json(path, results.model_dump(mode="json"))
        write_report(directory)
    return path


def _seeds(configuration: Configuration, directory: Path) -> dict[Path, Configuration]:
    """A configuration for each seed by its directory; without several, the whole one."""
    if not configuration.seeds:
        return {directory: configuration}
    return {
        Layout(directory).of_seed(seed): configuration.model_copy(update={"seed": seed, "seeds": []})
        for seed in configuration.seeds
    }


def _run_all(runs: dict[str, list[Run]], reporter: Reporter) -> dict[str, str]:
    """Runs everything, and returns why variants have no results, by name."""
    failed = {}
    for name, found in runs.items():
        try:
            for one in found:
                seed = f"seed {one.configuration.seed}"
                reporter.say(f"variant {name}, {seed}" if name else seed)
                one.run()
        except (YieldError, SampleError) as error:  # a finding about this variant, and no reason to lose the others
            if not name:
                raise
            failed[name] = str(error)
            reporter.say(f"variant {name} has no results: {error}")
    return failed
