"""Whether a run is only a try, of which the numbers are no evidence: the line that then stands above every table."""

from collections.abc import Mapping
from typing import Any

from amends.evaluation.results import Comparison, Results
from amends.evaluation.suites.base import SUITE_KINDS
from amends.reporting.wording import NOTHING, detectable_text

LARGEST = 0.1
"""A true difference of rates of 10 points is what a run has to be able to find, or else its tables mislead."""


def trial_text(results: Results, configuration: Mapping[str, Any] | None) -> str:
    """The line that says that these results are those of a try, and why; empty where they are not.

    A try is a run with `limit`, and one that finds no true difference below 10 points: of its primary comparison, or
    without one of any comparison of harmless answers.

    Args:
        results: of the run.
        configuration: of the run, as run.json has it; None where there is none.

    Example:
        >>> trial_text(Results(model="m", seed=0, systems=[]), {"limit": 24})
        'A TRY, no evidence: limit 24 took at most 24 rows of every set.'
    """
    reasons = []
    if limit := (configuration or {}).get("limit"):
        reasons.append(f"limit {limit} took at most {limit} rows of every set")
    if (found := _most_telling(results)) and not (found.detectable and found.detectable <= LARGEST):
        smallest = detectable_text(found)
        unseen = "any difference" if smallest in (NOTHING, "none") else f"true differences below {smallest}"
        few = f"{found.n} prompts" if found.seeds == 1 else f"{found.n} prompts and {found.seeds} seeds"
        reasons.append(f"{few} are too few to find {unseen}")
    return f"A TRY, no evidence: {', and '.join(reasons)}." if reasons else ""


def _most_telling(results: Results) -> Comparison | None:
    """The primary comparison, or without one that which finds the smallest difference of harmless answers."""
    if primary := next((row for row in results.comparisons if row.primary), None):
        return primary
    harm = {row.suite for row in results.systems if SUITE_KINDS[row.kind].asks_harm}
    rates = [
        row
        for row in results.comparisons
        if row.suite in harm and row.metric in ("harmless_probability", "harmless_rate")
    ]
    return min(rates, key=lambda row: row.detectable or float("inf"), default=None)
