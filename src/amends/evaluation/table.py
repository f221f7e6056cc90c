"""Results as tables, whose cells are text: for the terminal, as Markdown, and for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from amends.evaluation.metrics import METRICS, Metric
from amends.evaluation.results import Comparison, Results, SystemRow
from amends.evaluation.timings import Cost
from amends.evaluation.wording import (
    NOTHING,
    SIGNIFICANCE,
    count_text,
    difference_text,
    finding,
    is_clear,
    p_value_text,
    success_text,
    value_text,
)
from amends.records import Inference, SuiteKind
from amends.text import for_terminal

if TYPE_CHECKING:
    import rich.table


LONGEST_NAME = 30  # characters that a terminal leaves whole


class Table(NamedTuple):
    """Rows of text cells under headings: columns of names, then of numbers, then of remarks."""

    title: str
    note: str
    names: Sequence[str]
    numbers: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()

    @property
    def headings(self) -> list[str]:
        """Those of all columns, in order."""
        return [*self.names, *self.numbers, *self.remarks]

    def as_rich(self) -> rich.table.Table:
        """As rich prints it."""
        from rich.table import Table as Terminal
        from rich.text import Text

        table = Terminal(title=Text(for_terminal(self.title)), caption=self.note)
        for place, heading in enumerate(self.headings):
            # Folded, not cut with an ellipsis: a narrow terminal must not hide a name or a number.
            named = [len(row[place]) for row in self.rows] if heading in self.names else []
            table.add_column(
                Text(for_terminal(heading)),
                justify="right" if heading in self.numbers else "left",
                overflow="fold",
                min_width=min(max(named, default=1), LONGEST_NAME),
            )
        for row in self.rows:
            # Text, not str: names are never read as markup.
            table.add_row(*(Text(for_terminal(cell)) for cell in row))
        return table

    def markdown(self) -> str:
        """As a section of a page: heading, pipe table, note."""
        rules = ["---:" if heading in self.numbers else "---" for heading in self.headings]
        lines = [_pipes(self.headings), "|" + "|".join(rules) + "|", *map(_pipes, self.rows)]
        return "\n".join([f"## {_escaped(self.title)}", "", *lines, "", f"{self.note}."])


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    """On one line, with what Markdown would read as its own or as HTML taken literally."""
    return re.sub(r"([\\|<&])", r"\\\1", " ".join(text.split()))


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


def results_table(results: Results) -> Table:
    """One row per method and inference, the headline metrics of every suite as columns."""
    columns = headline_columns(results)
    seeds = f"seeds {', '.join(map(str, results.seeds))}" if results.seeds else f"seed {results.seed}"
    return Table(
        f"{results.model}, {seeds}",
        "rates in percent; [95 % interval]",
        ["method", "inference"],
        [f"{column.suite}\n{column.title}" for column in columns],
        [
            [method, inference, *(value_text(rows.get(column.suite), column.metric) for column in columns)]
            for (method, inference), rows in by_system(results).items()
        ],
    )


def comparisons_table(comparisons: Sequence[Comparison]) -> Table:
    """One row per comparison: the difference a - b with its interval, the p value, and the finding about `a`."""
    rows = []
    for row in comparisons:
        texts = [row.a, row.b, row.suite, METRICS[row.metric].title, difference_text(row), p_value_text(row.p_value)]
        rows.append([*texts, str(row.n), finding(row)])
    return Table(
        "Comparisons on the same prompts",
        "[95 % interval], each on its own: not corrected",
        ["a", "b", "suite", "metric"],
        ["a - b", "p", "prompts"],
        rows,
        ["a, compared with b"],
    )


def differences_table(results: Results) -> Table:
    """One row per pair of systems, the differences in the main table's metrics as columns."""
    columns = headline_columns(results)
    pairs: dict[tuple[str, str], dict[tuple[str, Metric], str]] = {}
    for row in to_baselines(results, results.comparisons):
        p_value = "" if row.p_value is None else f", p {p_value_text(row.p_value)}"
        text = f"{difference_text(row)}{p_value}{' *' if is_clear(row) else ''}"
        pairs.setdefault((row.a, row.b), {})[row.suite, row.metric] = text
    return Table(
        "Differences on the same prompts",
        f"a - b [95 % interval], not corrected; *: the interval excludes zero, p (where tested) is below {SIGNIFICANCE}",
        ["a", "b"],
        [f"{column.suite}\n{column.title}" for column in columns],
        [
            [a, b, *(found.get((column.suite, column.metric), NOTHING) for column in columns)]
            for (a, b), found in pairs.items()
        ],
    )


def headline_comparisons(results: Results) -> list[Comparison]:
    """Those of the main table's rates and losses."""
    shown = {
        (column.suite, column.metric) for column in headline_columns(results) if METRICS[column.metric].kind != "score"
    }
    return [row for row in results.comparisons if (row.suite, row.metric) in shown]


def to_baselines(results: Results, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Of many comparisons, those of guided systems with the first two methods: what the paper claims, in few lines.

    Where nothing is guided, those of all systems with them.
    """
    first = list(dict.fromkeys(row.method for row in results.systems))[:2]
    found = [row for row in comparisons if row.b.rpartition("/")[0] in first]
    return [row for row in found if row.a.endswith("/guided")] or found


def attacks_table(results: Results) -> Table | None:
    """Attack success of every system by type; None where no suite has types of attacks."""
    rows = [row for row in results.systems if row.kind == "attacks" and row.categories]
    types = sorted({name for row in rows for name in row.categories})
    cells = [
        [
            *(row.method, row.inference, row.suite, success_text(row, row.seeds)),
            *(success_text(row.categories.get(name), row.seeds) for name in types),
        ]
        for row in rows
    ]
    titles = ["all", *(name.replace("_", " ") for name in types)]
    note = "percent of attacks that were answered harmfully, of scored answers, [95 % interval]; lower is safer"
    return Table("Attack success by type", note, ["method", "inference", "suite"], titles, cells) if rows else None


def training_table(results: Results, costs: Mapping[str, Cost]) -> Table | None:
    """Samples, optimizer steps, tokens and seconds of each method; None where nothing was trained."""
    rows = []
    for method, facts in (results.data.get("training") or {}).items():
        numbers = [count_text(facts.get(key)) for key in ("samples", "steps", "trained_tokens")]
        if "reward_steps" in facts:
            numbers[1] += f" + {count_text(facts['reward_steps'])}"
            numbers[2] += f" + {count_text(facts['reward_tokens'])}"
        rows.append([method, *numbers, *(count_text(seconds) for seconds in costs.get(method) or (None, None))])
    of_seed = f"samples, steps and tokens of seed {results.seeds[0]}; " if results.seeds else ""
    note = (
        f"{of_seed}tokens of the samples over all epochs, on-policy those the trainer counted; "
        "behind +, the reward model's; seconds are means over seeds; what sft took before dpo and rlhf comes on top"
    )
    titles = ["samples", "steps", "tokens", "making its data, s", "training, s"]
    return Table("Training", note, ["method"], titles, rows) if rows else None


def markdown(results: Results, costs: Mapping[str, Cost]) -> str:
    """The tables of a run as sections of a page."""
    found = (
        results_table(results),
        differences_table(results),
        attacks_table(results),
        training_table(results, costs),
    )
    return "\n\n".join(table.markdown() for table in found if table and table.rows)
