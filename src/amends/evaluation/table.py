"""Results as tables in the terminal, and the wording of values and findings that the report shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from amends.evaluation.metrics import METRICS, SHOWN, Metric
from amends.evaluation.results import CategoryRow, Comparison, Results, SystemRow
from amends.evaluation.timings import Cost
from amends.records import Inference, SuiteKind

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "–"
SIGNIFICANCE = 0.05
TRAINING_NOTE = (
    "tokens of the samples over all epochs, on-policy those the trainer counted; behind +, the reward model's; seconds are "
    "means over seeds; what sft took before dpo and rlhf comes on top"
)


class Column(NamedTuple):
    """A headline metric of one suite."""

    suite: str
    kind: SuiteKind
    metric: Metric

    @property
    def title(self) -> str:
        """The metric with its unit."""
        return METRICS[self.metric].title


def headline_columns(results: Results) -> list[Column]:
    """The columns of the main table, in the order of `results.systems`; metrics that no system has are left out.

    A harmless rate that no system has because nothing could be scored is shown: so it is seen.
    """
    found = dict.fromkeys(
        Column(row.suite, row.kind, metric.name)
        for row in results.systems
        for metric in METRICS.values()
        if row.kind in metric.headline
        and (getattr(row, metric.name) is not None or (metric.name == "harmless_rate" and row.unscored))
    )
    suites = list(dict.fromkeys(row.suite for row in results.systems))
    metrics = list(METRICS)
    return sorted(found, key=lambda column: (suites.index(column.suite), metrics.index(column.metric)))


def by_system(results: Results) -> dict[tuple[str, Inference], dict[str, SystemRow]]:
    """Rows by (method, inference) and suite, in the order of `results.systems`."""
    systems: dict[tuple[str, Inference], dict[str, SystemRow]] = {}
    for row in results.systems:
        systems.setdefault((row.method, row.inference), {})[row.suite] = row
    return systems


def value_text(row: SystemRow | None, metric: Metric) -> str:
    """A metric with its interval: `85.0 [76.7, 90.7]`. Rates in percent, and a harmless rate says what is unscored."""
    if row is None:
        return NOTHING
    value, interval = getattr(row, metric), getattr(row, f"{metric}_ci")
    text = NOTHING if value is None else _number(value, metric)
    if interval:
        text += f" [{_number(interval[0], metric)}, {_number(interval[1], metric)}]"
    return text + (_unscored(row, row.seeds) if metric == "harmless_rate" else "")


def difference_text(comparison: Comparison) -> str:
    """A difference with its interval and unit: `+8.3 [1.2, 15.1] points`."""
    kind = METRICS[comparison.metric].kind
    scale, digits = SHOWN["rate" if kind == "loss" else kind]  # differences of losses are relative
    unit = "%" if kind == "loss" else "points"
    text = f"{_signed(comparison.difference * scale, digits)}"
    if comparison.ci:
        low, high = (_signed(bound * scale, digits) for bound in comparison.ci)
        text += f" [{low}, {high}]"
    return f"{text} {unit}"


def p_value_text(p_value: float | None) -> str:
    """A p value with three digits, `<0.001` below them."""
    if p_value is None:
        return NOTHING
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def finding(comparison: Comparison) -> str:
    """What a comparison says of `a` in plain words.

    A difference is called one only if the interval excludes zero and the test, where there is one, agrees.
    """
    if comparison.ci is None:
        return "too few prompts to say"
    low, high = comparison.ci
    if low <= 0 <= high:
        return "no clear difference: the interval includes zero"
    if comparison.p_value is not None and comparison.p_value >= SIGNIFICANCE:
        return f"not clear: the interval excludes zero, but p is not below {SIGNIFICANCE}"
    metric = METRICS[comparison.metric]
    return f"{metric.more if comparison.difference > 0 else metric.less}: the interval excludes zero"


def metric_title(metric: Metric) -> str:
    """A metric in words, without its unit."""
    return metric.replace("_", " ")


def results_table(results: Results) -> Table:
    """One row per method and inference, the headline metrics of every suite as columns."""
    columns = headline_columns(results)
    seeds = f"seeds {', '.join(map(str, results.seeds))}" if results.seeds else f"seed {results.seed}"
    return _table(
        f"{results.model}, {seeds}",
        "rates in percent; [95 % interval]",
        ["method", "inference"],
        [f"{column.suite}\n{column.title}" for column in columns],
        [
            [method, inference, *(value_text(rows.get(column.suite), column.metric) for column in columns)]
            for (method, inference), rows in by_system(results).items()
        ],
    )


class Attacks(NamedTuple):
    """Attack success by type: the types, and for each system on each suite of attacks a cell for each type."""

    types: list[str]
    rows: list[tuple[SystemRow, list[str]]]


def attacks(results: Results) -> Attacks | None:
    """Attack success of every system; None where no suite has types of attacks."""
    rows = [row for row in results.systems if row.kind == "attacks" and row.categories]
    types = sorted({name for row in rows for name in row.categories})
    return (
        Attacks(types, [(row, [_success(row.categories.get(name), row.seeds) for name in types]) for row in rows])
        if rows
        else None
    )


def attacks_table(results: Results) -> Table | None:
    """Attack success (harmful share of scored answers, in percent) by type; None where no suite has types of attacks."""
    found = attacks(results)
    if not found:
        return None
    return _table(
        "Attack success by type",
        "percent of attacks answered harmfully; [95 % interval]",
        ["method", "inference", "suite"],
        [name.replace("_", " ") for name in found.types],
        [[row.method, row.inference, row.suite, *cells] for row, cells in found.rows],
    )


class Training(NamedTuple):
    """Titles and rows (method and cells) of what each method was trained with, and what it cost."""

    titles: list[str]
    rows: list[tuple[str, list[str]]]


def training(results: Results, costs: Mapping[str, Cost]) -> Training | None:
    """Samples, optimizer steps, tokens and seconds of each method; None where nothing was trained."""
    trained = results.data.get("training") or {}
    rows = []
    for method, facts in trained.items():
        numbers = [_count(facts.get(key)) for key in ("samples", "steps", "trained_tokens")]
        if "reward_steps" in facts:
            numbers[1] += f" + {_count(facts['reward_steps'])}"
            numbers[2] += f" + {_count(facts['reward_tokens'])}"
        rows.append((method, numbers + [_count(seconds) for seconds in costs.get(method) or (None, None)]))
    return Training(["samples", "steps", "tokens", "making its data, s", "training, s"], rows) if rows else None


def training_table(results: Results, costs: Mapping[str, Cost]) -> Table | None:
    """The same for a terminal."""
    found = training(results, costs)
    if not found:
        return None
    return _table("Training", TRAINING_NOTE, ["method"], found.titles, [[name, *cells] for name, cells in found.rows])


def _success(row: CategoryRow | None, seeds: int) -> str:
    if row is None:
        return NOTHING
    text = NOTHING if row.harmless_rate is None else f"{100 * (1 - row.harmless_rate):.1f}"
    if row.harmless_rate_ci:
        low, high = row.harmless_rate_ci
        text += f" [{100 * (1 - high):.1f}, {100 * (1 - low):.1f}]"
    return text + _unscored(row, seeds)


def _unscored(row: SystemRow | CategoryRow, seeds: int) -> str:
    return f", {row.unscored} of {row.n * seeds} unscored" if row.unscored else ""


def to_baselines(results: Results, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Of many comparisons, those of guided systems with the first two methods: what the paper claims, in few lines."""
    first = list(dict.fromkeys(row.method for row in results.systems))[:2]
    return [row for row in comparisons if row.a.endswith("/guided") and row.b.rpartition("/")[0] in first]


def comparisons_table(comparisons: Sequence[Comparison]) -> Table:
    """One row per comparison: the difference a - b with its interval, the p value, and the finding about `a`."""
    rows = []
    for row in comparisons:
        texts = [row.a, row.b, row.suite, metric_title(row.metric), difference_text(row), p_value_text(row.p_value)]
        rows.append([*texts, str(row.n), finding(row)])
    return _table(
        "Comparisons on the same prompts",
        "[95 % interval], each on its own: not corrected",
        ["a", "b", "suite", "metric"],
        ["a - b", "p", "pairs"],
        rows,
        ["a, compared with b"],
    )


def _table(
    title: str,
    caption: str,
    names: Sequence[str],
    numbers: Sequence[str],
    rows: Sequence[Sequence[str]],
    remarks: Sequence[str] = (),
) -> Table:
    """A table for a terminal: columns of names, then of numbers, then of remarks."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), caption=caption)
    for heading in (*names, *numbers, *remarks):
        # Folded, not cut with an ellipsis: a narrow terminal must not hide a name or a number.
        table.add_column(Text(heading), justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text, not str: names are never read as markup
    return table


def _count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _number(value: float, metric: Metric) -> str:
    scale, digits = SHOWN[METRICS[metric].kind]
    return f"{scale * value:.{digits}f}"


def _signed(value: float, digits: int) -> str:
    """With a sign, but zero without one."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"
