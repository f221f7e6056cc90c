"""Places of a plot of what safety costs: each system's harmless rate against a price that was measured elsewhere."""

from typing import NamedTuple

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS, SuiteKind

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Place(NamedTuple):
    """A system: its method's letter, and where it stands, in percent from the left and from the bottom."""

    letter: str
    method: str
    guided: bool
    left: float
    bottom: float


class Panel(NamedTuple):
    """A price on the horizontal axis, its better end on the right."""

    title: str
    left: str
    right: str
    places: list[Place]


class Frontier(NamedTuple):
    """The panels of one suite, and the letters of the methods in them."""

    suite: str
    letters: dict[str, str]
    panels: list[Panel]


def frontiers(results: Results) -> list[Frontier]:
    """For each red-team suite its harmless rates, from 0 to 100 %, against what was measured of their price.

    A rate's axis goes from 0 to 100 %, a score's from 1 to 10; a loss has no fixed ends, and takes the systems' own.
    """
    methods = list(dict.fromkeys(row.method for row in results.systems))
    letters = {method: LETTERS[place % len(LETTERS)] for place, method in enumerate(methods)}
    kinds = {row.suite: SUITE_KINDS[row.kind] for row in results.systems}
    found = []
    for suite, kind in kinds.items():
        panels = [_panel(results, suite, *price, letters) for price in _prices(kinds, suite) if kind.tells_safety]
        if shown := [panel for panel in panels if panel is not None]:
            found.append(Frontier(suite, letters, shown))
    return found


def _prices(kinds: dict[str, SuiteKind], suite: str) -> list[tuple[str, str, str]]:
    """Suite and metric of what safety may cost, and a title for the axis."""
    others = [name for name, kind in kinds.items() if not kind.tells_safety]
    return [
        (name, metric, title.format(suite=name))
        for name in (suite, *others)
        for metric, title in kinds[name].prices.items()
    ]


def _panel(results: Results, suite: str, other: str, name: str, title: str, letters: dict[str, str]) -> Panel | None:
    """None where fewer than two systems have both numbers."""
    metric, rows = METRICS[name], {(row.system, row.suite): row for row in results.systems}
    priced = [
        (row, metric.shown.factor * price)
        for row in results.systems
        if row.suite == suite and row.harmless_rate is not None
        if (other_row := rows.get((row.system, other))) and (price := other_row.value(name)) is not None
    ]
    if len(priced) < 2:
        return None
    worst, best = _ends(metric.kind, [price for _, price in priced])
    if not metric.more_is_better:
        worst, best = best, worst
    digits = metric.shown.digits if metric.kind == "loss" else 0
    places = [_place(row, letters[row.method], (price - worst) / (best - worst)) for row, price in priced]
    return Panel(title, f"{worst:.{digits}f}", f"{best:.{digits}f}", places)


def _ends(kind: str, prices: list[float]) -> tuple[float, float]:
    if kind == "rate":
        return 0, 100
    if kind == "score":
        return 1, 10
    margin = (max(prices) - min(prices)) / 10 or 0.1
    return min(prices) - margin, max(prices) + margin


def _place(row: SystemRow, letter: str, share: float) -> Place:
    return Place(letter, row.method, row.inference == "guided", 100 * share, 100 * (row.harmless_rate or 0.0))
