"""The same experiment with several seeds: a run directory each, and their results pooled."""

from pathlib import Path

from amends.config import Configuration
from amends.pipeline import Run
from amends.progress import Reporter, Silent
from amends.store import write_json


def run_seeds(configuration: Configuration, directory: Path, reporter: Reporter | None = None) -> Path:
    """Runs `configuration.seeds` one after the other in `directory/seed-N/`, and returns the pooled results.json.

    A seed decides everything random: induction, analyses, training, answers. What is finished is skipped, so more seeds
    can be added later. Each seed's directory is a whole run with its own results and report.
    """
    from amends.evaluation.collect import pooled_results

    reporter = reporter or Silent()
    directories = []
    for seed in configuration.seeds:
        reporter.say(f"seed {seed}")
        directories.append(directory / f"seed-{seed}")
        Run(configuration.model_copy(update={"seed": seed, "seeds": []}), directories[-1], reporter).run()
    path = directory / "results.json"
    write_json(path, pooled_results(configuration, directories).model_dump(mode="json"))
    return path
