"""An experiment: one run, the same run with several seeds, or variants of it side by side."""

from pathlib import Path

from amends.config import Configuration
from amends.config_file import variants
from amends.errors import YieldError
from amends.pipeline import Run
from amends.progress import Reporter, Silent
from amends.report.render import write_report
from amends.store import write_json


def run_experiment(configuration: Configuration, directory: Path, reporter: Reporter | None = None) -> Path:
    """Runs a configuration whole, in `directory`, and returns its results.json. What is finished is skipped.

    With `seeds`, each has a whole run of its own in `seed-N/`; with `variants`, each has one in `NAME/` (and its seeds in
    there). What two variants have in common, equal in settings and inputs, is made once and copied. The directory's own
    results and report are over all of them.
    """
    reporter = reporter or Silent()
    parts = variants(configuration) if configuration.variants else {"": configuration}
    runs: dict[str, list[Path]] = {}
    for name, part in parts.items():
        others = [earlier for made in runs.values() for earlier in made]
        if not name:
            runs[name] = _run_seeds(part, directory, others, reporter)
            continue
        reporter.say(f"variant {name}")
        try:
            runs[name] = _run_seeds(part, directory / name, others, reporter)
        except YieldError as error:  # a finding about this variant, and no reason to lose the others
            reporter.say(f"variant {name} has no results: {error}")
    if not runs:
        raise YieldError(f"{directory}: no variant has results; see what each of them said")
    if runs == {"": [directory]}:
        return directory / "results.json"
    from amends.evaluation.collect import pooled_results

    path = directory / "results.json"
    write_json(directory / "run.json", {"configuration": configuration.model_dump(mode="json")})
    write_json(path, pooled_results(configuration, {name: parts[name] for name in runs}, runs).model_dump(mode="json"))
    write_report(directory)
    return path


def _run_seeds(configuration: Configuration, directory: Path, others: list[Path], reporter: Reporter) -> list[Path]:
    """Runs a configuration with each of its seeds, or with its one, and returns the run directories."""
    if not configuration.seeds:
        Run(configuration, directory, reporter, others).run()
        return [directory]
    directories = []
    for seed in configuration.seeds:
        reporter.say(f"seed {seed}")
        directories.append(directory / f"seed-{seed}")
        Run(configuration.model_copy(update={"seed": seed, "seeds": []}), directories[-1], reporter, others).run()
    return directories
