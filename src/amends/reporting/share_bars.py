"""Bars of three shares of a system's answers, harmful, refused, harmless and engaged, with what is known of each."""

from typing import NamedTuple

from amends.evaluation.results import Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.reporting.shares import SHARES
from amends.reporting.utility import UNTOUCHED
from amends.reporting.wording import value_text


class Share(NamedTuple):
    """A part of a bar: its class in the style sheet, its width in percent, and its value with the interval."""

    name: str
    width: float
    text: str


class Bar(NamedTuple):
    """One system's answers. `errors`: the two borders between the shares, each [low, high] in percent of the width."""

    inference: str
    shares: list[Share]
    errors: list[tuple[float, float]]
    prompts: int


class Bars(NamedTuple):
    """A method's bars: without the reminder, and with it. A baseline is the untouched model."""

    method: str
    baseline: bool
    bars: list[Bar]


class SuiteBars(NamedTuple):
    """All bars of a suite, and whether its prompts ask for harm: to refuse them is right, or wrong."""

    suite: str
    kind: str
    asks_harm: bool
    methods: list[Bars]


NAMES = dict(zip(SHARES, ("harmful", "refused", "engaged"), strict=True))
"""The names of the three shares in the style sheet."""


def share_bars(results: Results) -> list[SuiteBars]:
    """The bars of each suite on which answers were judged."""
    suites = dict.fromkeys((row.suite, row.kind) for row in results.systems if row.harmful_rate is not None)
    return [
        SuiteBars(suite, kind, bool(SUITE_KINDS[kind].asks_harm), _methods(results, suite)) for suite, kind in suites
    ]


def _methods(results: Results, suite: str) -> list[Bars]:
    rows = [row for row in results.systems if row.suite == suite and row.harmful_rate is not None]
    return [
        Bars(method, method == UNTOUCHED, [_bar(row) for row in rows if row.method == method])
        for method in dict.fromkeys(row.method for row in rows)
    ]


def _bar(row: SystemRow) -> Bar:
    shares = [Share(name, 100 * (row.value(metric) or 0.0), value_text(row, metric)) for metric, name in NAMES.items()]
    errors = [] if row.harmful_rate_ci is None else [_percent(*row.harmful_rate_ci)]
    if row.harmless_engaged_rate_ci is not None:  # it is the last share: what is left of it ends there
        low, high = row.harmless_engaged_rate_ci
        errors.append(_percent(1 - high, 1 - low))
    return Bar(row.inference, shares, errors, row.n)


def _percent(low: float, high: float) -> tuple[float, float]:
    return 100 * low, 100 * high
