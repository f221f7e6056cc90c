"""Writes report.html: one page, self-contained and offline, from the finished files of a run directory."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from amends.config.methods import METHODS
from amends.errors import AmendsError
from amends.evaluation.results import Results
from amends.reporting import headline as words
from amends.reporting import tables
from amends.reporting.corrections import corrections_tables, kept_corrections
from amends.reporting.costs import costs
from amends.reporting.differences import forest
from amends.reporting.frontier import frontiers
from amends.reporting.losses import loss_curves
from amends.reporting.origin import origin_of
from amends.reporting.rendering import write_page
from amends.reporting.run_results import RunResults
from amends.reporting.run_summary import reminder_words
from amends.reporting.samples import before_and_after, lessons_of, samples_of
from amends.reporting.share_bars import share_bars
from amends.reporting.shares import category_tables
from amends.reporting.trial import trial_text
from amends.reporting.utility import utility_table
from amends.reporting.wording import SystemName
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory, read_run

CONTENTS = {
    "found": "What was found",
    "differences": "Differences",
    "results": "What the answers are",
    "samples": "The method, in its own words",
    "yields": "Yields",
    "training": "Training",
    "judges": "Judges",
    "origin": "How it was made",
}
"""The page's sections: their ids, and what leads to them."""


def write_report(run_directory: Path) -> Path:
    """Renders `run_directory`/report.html and returns its path; equal inputs give equal bytes.

    Needs results.json; run.json, mistakes, analyses, training logs, responses and verdicts are shown where they are.
    Raises StoreError or InputError naming the file that is missing, damaged, or not what it should be.
    """
    results = read_as(Results, RunDirectory(run_directory).results)
    configuration = read_run(run_directory)
    first = RunDirectory(run_directory).of_seed(results.seeds[0]) if results.seeds else run_directory
    shown = first if first.is_dir() else run_directory  # what of several seeds cannot be pooled is the first one's
    data = {
        **card_of(run_directory, results, configuration),
        **_numbers(run_directory, shown, results),
        "results": results,
        "configuration": None if configuration is None else {"configuration": configuration},
        "methods": _methods(results, configuration),
        "lessons": lessons_of(shown, results.yields),
        "samples": samples_of(shown, results),
        "pair": before_and_after(results),
        "of_seed": results.seeds[0] if shown != run_directory else None,
        "parts": [one.relative_to(run_directory).as_posix() for one in sorted(run_directory.glob("*/**/report.html"))],
        "origin": origin_of(run_directory, results),
    }
    path = RunDirectory(run_directory).report
    write_page(path, "report.html.j2", **data, contents=_contents(data))
    return path


def card_of(run_directory: Path, results: Results, configuration: dict[str, Any] | None) -> dict[str, Any]:
    """What the card of a run prints, and its title."""
    model = words.model_words(results.model)
    method = SystemName.of(words.subject(results) or "").method
    guided = any(row.inference == "guided" for row in results.systems)
    return {
        "title": f"Is {model} safer with {method}?" if method in METHODS and METHODS[method].kinds else model,
        "model": model,
        "trial": trial_text(results, configuration),
        "headline": words.headline(results),
        "costs_found": words.cost_texts(results),
        "judge": words.judge_text(results.judges),
        "licence": words.judge_licence(results.judges),
        "adapter": _adapter(run_directory, method),
        "reminder": reminder_words(configuration) if configuration and guided else "",
    }


def _numbers(run_directory: Path, shown: Path, results: Results) -> dict[str, Any]:
    """Plots and tables."""
    return {
        "systems": list(tables.by_system(results)),
        "suites": {row.suite: row.n for row in results.systems},
        "groups": forest(results),
        "comparisons": tables.comparisons_table(results.comparisons),
        "suite_bars": share_bars(results),
        "cut": [row.truncated_rate for row in results.systems if row.truncated_rate is not None],
        "frontiers": frontiers(results),
        "rates_help": any(row.helpful_score is not None for row in results.systems),
        "attacks": tables.attacks_table(results),
        "utility": utility_table(results),
        "table": tables.results_table(results),
        "categories": category_tables(results),
        "corrected": list(corrections_tables(kept_corrections(run_directory))),
        "measurements": tables.measurements_table(results),
        "training": tables.training_table(results, costs(run_directory, results.data.get("training", {}))),
        "curves": loss_curves(shown, list(dict.fromkeys(row.method for row in results.systems))),
    }


def _methods(results: Results, configuration: dict[str, Any] | None) -> dict[str, str]:
    """What each method is; of variants, whose names are free, nothing is said."""
    known = {} if (configuration or {}).get("variants") else METHODS
    return {row.method: known[row.method].source for row in results.systems if row.method in known}


def _adapter(run_directory: Path, method: str) -> str:
    """Where what was trained lies, from the run directory; empty where nothing was."""
    with suppress(AmendsError):
        return RunResults(run_directory).adapter(method).relative_to(run_directory).as_posix() if method else ""
    return ""


def _contents(data: dict[str, Any]) -> list[tuple[str, str]]:
    """The sections that the page has."""
    results = data["results"]
    there = {
        "differences": data["groups"],
        "samples": data["lessons"] or data["samples"].prompts,
        "yields": results.yields,
        "training": data["curves"] or data["training"],
        "judges": results.judges,
    }
    return [(name, title) for name, title in CONTENTS.items() if there.get(name, True)]
