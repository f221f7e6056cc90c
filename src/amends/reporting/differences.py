"""The forest plot's lines: differences between systems on one fixed scale, with their intervals around a zero line."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import Comparison, Results
from amends.reporting.headline import tone
from amends.reporting.tables import headline_columns, to_baselines
from amends.reporting.wording import SystemName, difference_text, finding

SPAN = 40.0
"""Points, or percent of a loss, from the zero line to either end: the same in every report, so that two compare."""
TICKS = (-40, -20, 0, 20, 40)


class Line(NamedTuple):
    """A difference a - b. Places are in percent of the plot's width, and `cut` says at which ends they stand outside.

    Attributes:
        label: the two systems, without what they have in common.
        inference: `guided`, `unguided`, or "" where the two differ in it.
        text: the difference with its interval; `finding` says what that means.
        tone: `better`, `worse` or `unclear`.
        place, low, high: of the difference and of its interval; without an interval those two are None.
    """

    label: str
    inference: str
    text: str
    finding: str
    tone: str
    primary: bool
    place: float
    low: float | None
    high: float | None
    cut: tuple[bool, bool]


class Group(NamedTuple):
    """The lines of one metric on one suite, and what lies on either side of zero."""

    title: str
    less: str
    more: str
    lines: list[Line]

    @property
    def pairs(self) -> list[tuple[str, list[Line]]]:
        """Lines that follow each other about the same two systems, without and with the reminder, by their label."""
        return [(label, list(lines)) for label, lines in groupby(self.lines, key=lambda line: line.label)]


def forest(results: Results) -> list[Group]:
    """Differences from the baselines, which are the first two methods, with equal inference; the primary one first.

    Of each suite it is the first of its headline metrics that was compared. Where no two systems with equal inference
    were compared, it is what is there.
    """
    groups = []
    if primary := [row for row in results.comparisons if row.primary]:
        groups.append(_group("The primary comparison", primary))
    for suite, metric in _measures(results).items():
        rows = [row for row in results.comparisons if (row.suite, row.metric) == (suite, metric)]
        if shown := _of_equal_inference(results, rows) or to_baselines(results, rows):
            groups.append(_group(f"{suite}: {METRICS[metric].title.removesuffix(' %')}", shown))
    return groups


def _measures(results: Results) -> dict[str, str]:
    """The metric that is shown of each suite."""
    compared = {(row.suite, row.metric) for row in results.comparisons}
    found: dict[str, str] = {}
    for column in headline_columns(results):
        if (column.suite, column.metric) in compared and METRICS[column.metric].kind != "score":
            found.setdefault(column.suite, column.metric)
    return found


def _of_equal_inference(results: Results, rows: Sequence[Comparison]) -> list[Comparison]:
    """A method's lines without and with the reminder follow each other."""
    methods, inferences = (
        list(dict.fromkeys(getattr(row, of) for row in results.systems)) for of in ("method", "inference")
    )
    found = [
        row
        for row in rows
        if (a := SystemName.of(row.a)).inference == (b := SystemName.of(row.b)).inference in inferences
        and b.method in methods[:2]
        and a.method in methods
    ]
    return sorted(
        found,
        key=lambda row: (
            methods.index(SystemName.of(row.a).method),
            methods.index(SystemName.of(row.b).method),
            inferences.index(SystemName.of(row.a).inference),
        ),
    )


def _group(title: str, rows: Sequence[Comparison]) -> Group:
    metric = METRICS[rows[0].metric]
    return Group(title, metric.less, metric.more, [_line(row) for row in rows])


def _line(row: Comparison) -> Line:
    factor = METRICS[row.metric].shown_difference.factor
    low, high = row.ci or (None, None)
    a, b = SystemName.of(row.a), SystemName.of(row.b)
    equal = a.inference == b.inference
    return Line(
        f"{a.method} against {b.method}" if equal else f"{row.a} against {row.b}",
        a.inference if equal else "",
        difference_text(row),
        _short(finding(row)),
        tone(row),
        row.primary,
        _place(factor * row.difference),
        None if low is None else _place(factor * low),
        None if high is None else _place(factor * high),
        (
            factor * min(row.difference, row.difference if low is None else low) < -SPAN,
            factor * max(row.difference, row.difference if high is None else high) > SPAN,
        ),
    )


def _short(words: str) -> str:
    """Without the reason where the plot shows it: whether the interval leaves zero out."""
    return words if words.startswith("not clear") else words.partition(":")[0]


def _place(points: float) -> float:
    """In percent of the width, held at its ends."""
    return min(max(50 + 50 * points / SPAN, 0.0), 100.0)
