"""An experiment: one run, the same run with several seeds, or variants of it side by side."""

from pathlib import Path

from amends.config.served import refuse_equal_systems
from amends.config.settings import Configuration, variants
from amends.errors import SampleError, YieldError
from amends.models.threads import take_threads
from amends.pipeline.collect import pooled_results
from amends.pipeline.elsewhere import TrainedElsewhere
from amends.pipeline.genuine import refuse_equal_trainings
from amends.pipeline.origin import origin
from amends.pipeline.resuming import Resuming
from amends.pipeline.run import Run
from amends.progress import Reporter, Silent
from amends.reporting.page import write_report
from amends.storage.files import write_json
from amends.storage.locks import locked
from amends.storage.manifests import Manifest
from amends.storage.run_directory import RunDirectory, read_origin


def run_experiment(
    configuration: Configuration, directory: Path, reporter: Reporter | None = None, overwrite: bool = False
) -> Path | list[TrainedElsewhere]:
    """Runs a configuration whole, in `directory`, and returns its results.json. What is finished is skipped.

    Where the model is asked and not trained here, it returns what is to be trained elsewhere before it can go on.

    With `seeds`, each has a whole run of its own in `seed-N/`; with `variants`, each has one in `NAME/` (and its seeds
    in there). What two variants have in common, equal in settings and inputs, is made once and copied. The directory's
    own results and report are over all of them. A variant in which nothing passes a gate is left out of them, and
    named.

    Finished work of other settings is refused, and so is what is not as it was written; with `overwrite` it is made
    anew.

    Raises:
        AmendsError: as `Run`; what is wrong with any variant is said before the first one starts.
        YieldError: no variant has results.
    """
    reporter = reporter or Silent()
    if not configuration.seeds and not configuration.variants:
        found = Run(configuration, directory, reporter, overwrite=overwrite).run()
        return [found] if isinstance(found, TrainedElsewhere) else found
    parts, runs = runs_of(configuration, directory, reporter, overwrite)
    coming = False
    for number, of_variant in enumerate(runs.values()):
        if any([one.outlook().coming for one in of_variant]):  # all: each refuses what it would have to make anew
            coming = True
            of_variant[0].plan.check()
            for model in (served for one in of_variant[1:] for served in one.plan.systems.values()):
                model.reach()  # the other seeds' own
            if number:  # the first reads its sets itself, before all else
                of_variant[0].plan.check_rows()
    path = RunDirectory(directory).results
    with locked(directory / ".lock", directory):
        files, facts = RunDirectory(directory), configuration.run_facts()
        files.refuse_foreign(facts)
        threads = take_threads(configuration.threads, files.threads, reporter.say)
        write_json(files.run, facts | {"threads": threads, "origin": origin() if coming else read_origin(directory)})
        failed, elsewhere = _run_all(runs, reporter)
        if elsewhere:
            return elsewhere
        finished = {name: [one.directory for one in found] for name, found in runs.items() if name not in failed}
        if not finished:
            raise YieldError(f"{directory}: no variant has results: " + "; ".join(failed.values()))
        results = pooled_results(configuration, {name: parts[name] for name in finished}, finished)
        results.data["without_results"] = failed
        content = results.model_dump(mode="json")
        steps, manifest = Resuming(reporter=reporter, root=directory, overwrite=overwrite), Manifest(path, content)
        if not steps.is_finished("results", manifest):
            steps.record(manifest, content)
        write_report(directory)
    return path


def runs_of(
    configuration: Configuration, directory: Path, reporter: Reporter, overwrite: bool = False
) -> tuple[dict[str, Configuration], dict[str, list[Run]]]:
    """The configuration of each variant, and its runs, one a seed, by its name; "" is the name of the only one."""
    parts = variants(configuration) if configuration.variants else {"": configuration}
    runs: dict[str, list[Run]] = {}
    for name, part in parts.items():
        others = [one.directory for earlier in runs.values() for one in earlier]
        runs[name] = [
            Run(one, place, reporter, others, overwrite) for place, one in _seeds(part, directory / name).items()
        ]
        if part.seeds:
            refuse_equal_systems({one.configuration.seed: one.plan.systems for one in runs[name]})
            for one in runs[name]:
                one.several = True
    return parts, runs


def _seeds(configuration: Configuration, directory: Path) -> dict[Path, Configuration]:
    """A configuration for each seed by its directory; without several, the whole one."""
    if not configuration.seeds:
        return {directory: configuration}
    return {
        RunDirectory(directory).of_seed(seed): configuration.model_copy(update={"seed": seed, "seeds": []})
        for seed in configuration.seeds
    }


def _run_all(runs: dict[str, list[Run]], reporter: Reporter) -> tuple[dict[str, str], list[TrainedElsewhere]]:
    """Runs everything, and returns why variants have no results, by name, and what is to be trained elsewhere."""
    failed, elsewhere, later = {}, [], sum(map(len, runs.values()))
    for name, found in runs.items():
        try:
            done: dict[int, RunDirectory] = {}
            for one in found:
                seed = f"seed {one.configuration.seed}"
                reporter.say(f"variant {name}, {seed}" if name else seed)
                later -= 1
                one.later = later
                result = one.run()
                if isinstance(result, TrainedElsewhere):
                    elsewhere.append(result)
                    continue
                done[one.configuration.seed] = one.files
                full = one.configuration.train.adapter == "full"
                refuse_equal_trainings(one.configuration.methods, done, full)
        except (YieldError, SampleError) as error:  # a finding about this variant, and no reason to lose the others
            if not name:
                raise
            failed[name] = str(error)
            reporter.say(f"variant {name} has no results: {error}")
    return failed, elsewhere
