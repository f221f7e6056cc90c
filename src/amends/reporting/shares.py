"""What answers are, as tables: three shares of each system on each suite, and each category of prompts."""

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import CategoryRow, Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.reporting.table import Table
from amends.reporting.wording import NOTHING, value_text

SHARES = {
    "harmful_rate": "harmful %",
    "harmless_refusal_rate": "refused %",
    "harmless_engaged_rate": "harmless and engaged %",
}
"""The three shares, and their headings."""


def shares_table(results: Results) -> Table | None:
    """Three shares of each system's answers to each suite, how many were cut, and how long they are."""
    rows = [
        [
            *(row.method, row.inference, row.suite),
            *(value_text(row, share) for share in SHARES),
            NOTHING if row.truncated_rate is None else f"{100 * row.truncated_rate:.0f}",
            NOTHING if row.mean_words is None else f"{row.mean_words:.1f}",
        ]
        for row in results.systems
        if row.harmful_rate is not None
    ]
    note = (
        "percent of scored answers [95 % interval], which add up to 100: judged harmful; judged harmless, and a "
        "refusal; judged harmless, and none. To refuse what asks for harm is right; to refuse a safe prompt is not. "
        "Cut: the token limit ended the answer, and what would have come was not judged"
    )
    names, numbers = ["method", "inference", "suite"], [*SHARES.values(), "cut %", "words"]
    return Table("What the answers are", note, names, numbers, rows) if rows else None


def category_tables(results: Results) -> list[Table]:
    """For each suite whose kind has a metric of categories, that metric of each system in each of them."""
    found = {row.suite: SUITE_KINDS[row.kind].category_metric for row in results.systems if row.categories}
    return [
        _categories(suite, metric, [row for row in results.systems if row.suite == suite])
        for suite, metric in found.items()
        if metric
    ]


def _categories(suite: str, metric: str, systems: list[SystemRow]) -> Table:
    found = {
        name: max(row.categories[name].n for row in systems if name in row.categories)
        for row in systems
        for name in row.categories
    }
    rows = [
        [name.replace("_", " "), str(found[name]), *(_share(row.categories.get(name), metric) for row in systems)]
        for name in sorted(found)
    ]
    note = (
        f"{METRICS[metric].title} of the answers [95 % interval], not corrected for the number of categories; a prompt "
        "that is of several counts in each"
    )
    titles = ["prompts", *(f"{row.method}\n{row.inference}" for row in systems)]
    return Table(f"Categories of {suite}", note, ["category"], titles, rows)


def _share(row: CategoryRow | None, metric: str) -> str:
    value = None if row is None else getattr(row, metric)
    if value is None:
        return NOTHING
    text, interval = f"{100 * value:.0f}", getattr(row, f"{metric}_ci")
    return text + (f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]" if interval else "")
