"""Results as tables, whose cells are text: for the terminal, as Markdown, and for the report."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.paired_tests import SIGNIFICANCE
from amends.evaluation.results import Comparison, Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.records import Inference
from amends.reporting.costs import Cost
from amends.reporting.headline import headline
from amends.reporting.shares import category_tables, shares_table
from amends.reporting.table import Table
from amends.reporting.utility import utility_table
from amends.reporting.wording import (
    NOTHING,
    SystemName,
    count_text,
    detectable_text,
    difference_text,
    finding,
    is_clear,
    p_value_text,
    success_text,
    value_text,
)
from amends.text.display import for_markdown

CORRECTED = (
    "p (Holm) is corrected for the number of comparisons but the primary one; found from: the smallest true difference "
    f"that is found 8 times of 10 at p below {SIGNIFICANCE}, uncorrected"
)


class Column(NamedTuple):
    """A headline metric of one suite."""

    suite: str
    kind: str
    metric: str

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
        if metric.is_headline(row.kind)
        and (row.value(metric.name) is not None or (metric.of_verdicts and row.unscored))
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
        "rates in percent; [95 % interval]; cut: answers that the token limit ended; words: of an answer, on average",
        ["method", "inference"],
        [f"{column.suite}\n{column.title}" for column in columns],
        [
            [method, inference, *(value_text(rows.get(column.suite), column.metric) for column in columns)]
            for (method, inference), rows in by_system(results).items()
        ],
    )


def systems_table(results: Results) -> Table:
    """One row a system, with one number of each suite: what is read first. The first suite's has its interval."""
    columns: dict[str, Column] = {}
    for column in headline_columns(results):
        columns.setdefault(column.suite, column)
    first, *others = columns.values() if columns else [None]
    cells = [
        [
            f"{method}/{inference}",
            *([value_text(rows.get(first.suite), first.metric)] if first else []),
            *(value_text(rows.get(one.suite), one.metric).split(" ")[0] for one in others if one),
        ]
        for (method, inference), rows in by_system(results).items()
    ]
    titles = [f"{column.suite}\n{column.title}" for column in columns.values()]
    return Table("", "[95 % interval]; all numbers are in the report", ["system"], titles, cells)


def comparisons_table(comparisons: Sequence[Comparison]) -> Table:
    """One row per comparison: the difference a - b with its interval, its tests, and the finding about `a`."""
    rows = []
    for row in sorted(comparisons, key=lambda one: not one.primary):
        corrected = "primary" if row.primary else p_value_text(row.p_holm)
        texts = [row.a, row.b, row.suite, METRICS[row.metric].title, difference_text(row), p_value_text(row.p_value)]
        rows.append([*texts, corrected, detectable_text(row), str(row.n), finding(row)])
    return Table(
        "Comparisons on the same prompts",
        f"[95 % interval], each on its own; {CORRECTED}",
        ["a", "b", "suite", "metric"],
        ["a - b", "p", "p (Holm)", "found from", "prompts"],
        rows,
        ["a, compared with b"],
    )


def differences_table(results: Results) -> Table:
    """One row per pair of systems, the differences in the main table's metrics as columns, where they are compared."""
    columns = [column for column in headline_columns(results) if METRICS[column.metric].compared]
    pairs: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for row in to_baselines(results, results.comparisons):
        p_value = row.p_value if row.p_holm is None else row.p_holm
        tested = "" if p_value is None else f", p {p_value_text(p_value)}"
        found_from = "" if row.detectable is None else f", found from {detectable_text(row)}"
        text = f"{difference_text(row)}{tested}{' *' if is_clear(row) else ''}{found_from}"
        pairs.setdefault((row.a, row.b), {})[row.suite, row.metric] = text
    return Table(
        "Differences on the same prompts",
        "a - b [95 % interval], p (Holm; of the primary comparison its own); *: the interval excludes zero, and that p "
        f"is below {SIGNIFICANCE}; {CORRECTED}",
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
    found = [row for row in comparisons if SystemName.of(row.b).method in first]
    return [row for row in found if row.a.endswith("/guided")] or found


def attacks_table(results: Results) -> Table | None:
    """Attack success of every system by type; None where no suite has types of attacks."""
    rows = [row for row in results.systems if SUITE_KINDS[row.kind].by_category and row.categories]
    types = sorted({name for row in rows for name in row.categories})
    cells = [
        [
            *(row.method, row.inference, row.suite, success_text(row, row.answers_a_prompt)),
            *(success_text(row.categories.get(name), row.answers_a_prompt) for name in types),
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
        epochs, samples = facts.get("epochs"), facts.get("samples")
        visits = None if epochs is None or samples is None else epochs * samples
        numbers[2:2] = [NOTHING if epochs is None else f"{epochs:.2f}", count_text(visits)]
        if "reward_steps" in facts:
            numbers[1] += f" + {count_text(facts['reward_steps'])}"
            numbers[4] += f" + {count_text(facts['reward_tokens'])}"
        rows.append([method, *numbers, *(count_text(seconds) for seconds in costs.get(method) or (None, None))])
    of_seed = f"samples, steps and tokens of seed {results.seeds[0]}; " if results.seeds else ""
    note = (
        f"{of_seed}visits: samples times epochs, which equal steps and equal epochs tell apart; "
        "tokens of the samples over all epochs, on-policy those the trainer counted; "
        "behind +, the reward model's; seconds are means over seeds; what sft took before dpo and rlhf comes on top"
    )
    titles = ["samples", "steps", "epochs", "visits", "tokens", "making its data, s", "training, s"]
    return Table("Training", note, ["method"], titles, rows) if rows else None


def yields_table(results: Results) -> Table:
    """One row for each guide of a stage, and one for each reason to reject what it made."""
    rows = []
    for stage, facts in results.yields.items():
        share = facts.get("yield")
        passed = count_text(facts.get("passed")) + (f" ({share:.0%})" if isinstance(share, int | float) else "")
        rows.append([stage, "all", count_text(facts.get("rows")), passed])
        for name, counts in facts.get("guides", {}).items():
            if counts["tried"] or counts["passed"]:
                rows.append([stage, f"guide {name}", count_text(counts["tried"]), count_text(counts["passed"])])
        rows += [[stage, f"rejected: {why}", count_text(count), "0"] for why, count in facts.get("reasons", {}).items()]
    of_seed = f", of seed {results.seeds[0]}" if results.seeds else ""
    note = "how many passed a stage's gate; guides by attempts, rejections by reason"
    return Table(f"Yields{of_seed}", note, ["stage", "what"], ["tried", "passed"], rows)


def markdown(results: Results, costs: Mapping[str, Cost], trial: str = "") -> str:
    """The tables of a run as sections of a page; `trial` stands above each of them."""
    found = (
        results_table(results),
        shares_table(results),
        differences_table(results),
        attacks_table(results),
        *category_tables(results),
        utility_table(results),
        training_table(results, costs),
    )
    notes = [f"**Note.** {for_markdown(note)}" for note in results.notes]
    if results.comparisons:
        notes.append(f"**Found.** {for_markdown(headline(results).text)}")
    return "\n\n".join([*notes, *(table._replace(above=trial).markdown() for table in found if table and table.rows)])


def measurements_table(results: Results) -> Table:
    """One row per system and suite: what is unscored and the bounds that it leaves, refusals, truncation, length."""
    rows = [
        [
            *(row.system, row.suite, str(row.n), str(row.unscored), value_text(row, "harmless_rate"), _bounds(row)),
            *(value_text(row, metric) for metric in ("refusal_rate", "harmless_engaged_rate")),
            NOTHING if row.truncated_rate is None else f"{100 * row.truncated_rate:.1f}",
            NOTHING if row.mean_words is None else f"{row.mean_words:.1f}",
        ]
        for row in results.systems
    ]
    note = (
        "rates in percent [95 % interval]; an unscored response counts neither as harmless nor as harmful, and the "
        "bounds are the harmless rate if all of them were harmful, or all harmless; truncated: the token limit cut the "
        "response; words: how long the responses are on average"
    )
    numbers = ["prompts", "unscored", "harmless", "bounds", "refused", "harmless and engaged", "truncated", "words"]
    return Table("Every measurement", note, ["system", "suite"], numbers, rows)


def _bounds(row: SystemRow) -> str:
    if row.harmless_rate_bounds is None:
        return NOTHING
    return " to ".join(f"{100 * bound:.1f}" for bound in row.harmless_rate_bounds)
