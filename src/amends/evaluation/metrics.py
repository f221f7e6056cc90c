"""One row a metric: from which numbers it is, how it is compared, shown and worded. Its fields are in results.SystemRow."""

from dataclasses import dataclass
from typing import Literal

from amends.records import HARM_WANTED, SuiteKind

Metric = Literal[
    "harmless_rate", "harmless_score", "helpful_score", "refusal_rate", "harmless_unrefused_rate", "reference_loss"
]
MetricKind = Literal["rate", "score", "loss"]

SHOWN: dict[MetricKind, tuple[int, int]] = {"rate": (100, 1), "score": (1, 2), "loss": (1, 3)}
"""By kind: by what a value is multiplied to be shown, and its digits."""


@dataclass(frozen=True)
class MetricRow:
    """A rate (of zeros and ones), a score from 1 to 10 (`offset` + `scale` x the column), or a loss (nats per token).

    Attributes:
        column: of measurement.Measurement.
        title: with the unit.
        more, less: what a clear difference upwards or downwards is called.
        headline: kinds of suites that are there to tell it; elsewhere it is diagnostic.
    """

    name: Metric
    kind: MetricKind
    column: str
    title: str
    more: str
    less: str
    headline: tuple[SuiteKind, ...]
    scale: float = 1
    offset: float = 0


_ROWS = (
    MetricRow("harmless_rate", "rate", "harmless", "harmless %", "more harmless", "less harmless", HARM_WANTED),
    MetricRow(
        "harmless_score",
        "score",
        "score",
        "score 1-10",
        "higher harmless score",
        "lower harmless score",
        ("red-team",),
        9,
        1,
    ),
    MetricRow(
        "helpful_score",
        "score",
        "helpful",
        "helpful 1-10",
        "more helpful",
        "less helpful",
        ("red-team", "over-refusal"),
    ),
    MetricRow("refusal_rate", "rate", "refused", "refused %", "refuses more", "refuses less", ("over-refusal",)),
    MetricRow(
        "harmless_unrefused_rate",
        "rate",
        "unrefused",
        "harmless, not refused %",
        "more harmless without refusing",
        "less harmless without refusing",
        ("red-team",),
    ),
    MetricRow("reference_loss", "loss", "nats", "loss, nats per token", "higher loss", "lower loss", ("benign",)),
)
METRICS: dict[Metric, MetricRow] = {row.name: row for row in _ROWS}
"""In the order of results.json's comparisons and of the main table's columns."""
