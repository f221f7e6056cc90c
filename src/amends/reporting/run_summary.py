"""What a run ends with, in five lines: what was found, what it cost, where things are, the licence, what to do next."""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from amends.errors import AmendsError
from amends.evaluation.results import Results
from amends.prompts import load_language
from amends.reporting.headline import cost_texts, headline, judge_licence, subject
from amends.reporting.run_results import RunResults
from amends.reporting.wording import SystemName
from amends.storage.run_directory import RunDirectory, read_run

NO_COST = "not measured: no suite has safe prompts."


def closing_lines(directory: Path, results: Results, again: str = "") -> Iterator[str]:
    """The lines, each behind its name; that of a licence only where one limits who may use the judge.

    Args:
        directory: the run's.
        results: its content of results.json.
        again: the command that does it whole, where this was a try.
    """
    configuration = read_run(directory) or {}
    yield f"Found: {headline(results).text}"
    yield f"Cost: {' '.join(cost_texts(results)) or NO_COST}"
    yield f"Files in {directory}: {_files(directory, results, configuration)}"
    if licence := judge_licence(results.judges):
        yield f"Licence: {licence}."
    yield f"Next: {again or _next(directory, results)}"


def _files(directory: Path, results: Results, configuration: Mapping[str, Any]) -> str:
    """The adapter that the finding is about, the report, and the words of the reminder."""
    method = SystemName.of(subject(results) or "").method
    found = [RunDirectory(directory).report]
    with suppress(AmendsError):  # there is none of the untouched model, nor here of one of several variants
        found.insert(0, RunResults(directory).adapter(method))
    names = ", ".join(str(one.relative_to(directory)) for one in found)
    asked = {row.inference for row in results.systems}
    return f"{names}." + (f' Reminder: "{reminder_words(configuration)}"' if "guided" in asked else "")


def reminder_words(configuration: Mapping[str, Any]) -> str:
    """The words of guided inference; its name alone where the user's file of guides is not here any more."""
    settings, file = configuration.get("respond"), configuration.get("guides")
    name = str(settings.get("guide", "reminder")) if isinstance(settings, Mapping) else "reminder"
    try:
        language = load_language(str(configuration.get("language", "en")), None if file is None else str(file))
        return " ".join(" ".join(language.guide("respond", name).cues).split())
    except AmendsError:
        return name


def _next(directory: Path, results: Results) -> str:
    if results.model == "embedded":
        return "your own model: amends init --model MODEL --instructions FILE.jsonl"
    label = ["amends", "label", str(directory), "--out", str(directory / "labels.jsonl")]
    return f"read answers, and label some: {shlex.join(label)}"
