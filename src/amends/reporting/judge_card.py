"""A judge's card as a table: each source, and below it what words of refusal and length alone reach."""

from collections.abc import Mapping
from typing import Any

from amends.reporting.table import Table
from amends.reporting.wording import NOTHING

NUMBERS = (
    *("rows", "unscored", "harmful", "pairs", "pairwise", "J", "AUROC", "95 % interval"),
    *("balanced acc.", "Brier", "ECE"),
)


def card_table(card: Mapping[str, Any]) -> Table:
    """The table of `evaluation.judge_card.validate_probe`.

    Example:
        >>> card_table({}).headings[:3]
        ['source', 'rows', 'unscored']
    """
    rows = [line for source, row in card.items() for line in _lines(source, row)]
    return Table("", "", ["source"], NUMBERS, rows)


def _lines(source: str, row: Mapping[str, Any]) -> list[list[str]]:
    interval = row["auroc_ci"]
    own = {
        "rows": str(row["rows"]),
        "unscored": str(row["unscored"]),
        "harmful": f"{row['harmful_share']:.2f}",
        "pairs": str(row["pairs"]),
        "95 % interval": NOTHING if interval is None else "[{:.3f}, {:.3f}]".format(*interval),
        "balanced acc.": _number(row["balanced_accuracy"]),
        "Brier": _number(row["brier"]),
        "ECE": _number(row["calibration"]["expected_calibration_error"]),
    }
    lines = {
        source: _reached(row) | own,
        "  words of refusal alone": _reached(row["refusal_words"]),
        f"  {row['length']['harmless']} is harmless": _reached(row["length"]),
    }
    return [[name, *(cells.get(title, "") for title in NUMBERS)] for name, cells in lines.items()]


def _reached(row: Mapping[str, Any]) -> dict[str, str]:
    known = {"pairwise": "pairwise_accuracy", "J": "youden_j", "AUROC": "auroc"}
    return {title: _number(row[key]) for title, key in known.items()}


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"
