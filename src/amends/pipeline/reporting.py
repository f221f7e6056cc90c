"""The last step of a run: results.json, report.html and model cards, which follow from all others."""

from pathlib import Path
from typing import Any

from amends.config.methods import METHODS
from amends.config.settings import Configuration
from amends.pipeline.steps import Steps
from amends.pipeline.versions import CODE
from amends.storage.files import file_digest
from amends.storage.manifest_content import contents
from amends.storage.manifests import Manifest
from amends.storage.run_directory import RunDirectory


def write_results(
    steps: Steps, configuration: Configuration, directory: Path, judges: dict[str, Any], agreed: dict[str, Any]
) -> None:
    """Writes results, report and model cards, unless they are there, made from the very steps that are finished.

    Args:
        judges: facts of those that evaluated and gated, by role.
        agreed: how far judges agree, by what is compared.
    """
    files, name = RunDirectory(directory), "results and report"
    parts = {
        "code": CODE["results"],
        "configuration": configuration.model_dump(mode="json", exclude={"executor": True, "train": {"report_to"}}),
        "judges": judges,
        "steps": steps.done,
    } | ({"patterns": patterns} if (patterns := steps.other_patterns()) else {})
    manifest = Manifest(files.results, parts, "results")
    finished = steps.is_finished(name, manifest)
    shown = files.report.exists() and manifest.read().get("report") == file_digest(files.report)
    if steps.outlook is not None:
        if not shown:
            steps.outlook.coming.add(files.report)
        return
    if finished and shown:
        return
    from amends.pipeline.cards import write_card
    from amends.pipeline.collect import collect_results
    from amends.reporting.page import write_report

    with steps.reporter.stage(name, None):
        if not finished:
            results = collect_results(configuration, directory, judges | agreed)
            steps.record(manifest, results.model_dump(mode="json"))
        write_report(directory)
        manifest.write("finished", **contents(files.results), report=file_digest(files.report))
        for method in configuration.methods:
            if METHODS[method].kinds and method not in configuration.systems:  # what others serve is none of ours
                write_card(directory, method)
