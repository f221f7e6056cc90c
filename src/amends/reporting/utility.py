"""What safety costs, as a table: how far a system is from the untouched model, and how it answers safe prompts."""

from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.reporting.table import Table
from amends.reporting.wording import NOTHING, difference_text, value_text

UNTOUCHED = "vanilla"
REFUSED, LOSS = "refusal_rate", "reference_loss"


def utility_table(results: Results) -> Table | None:
    """For each system its losses, their difference from the untouched model's, its divergence, and rates of answers.

    None where nothing but harm was asked for.
    """
    suites = {row.suite: row.kind for row in results.systems if not SUITE_KINDS[row.kind].asks_harm}
    if not suites:
        return None
    systems = {(row.method, row.inference): row.system for row in results.systems}
    rows = {(row.system, row.suite): row for row in results.systems}
    titles = [
        f"{suite}\n{title}"
        for suite, kind in suites.items()
        for metric in cost_metrics(kind)
        for title in (METRICS[metric].title, *(["from the start"] if metric == LOSS else []))
    ]
    cells = [
        [
            *names,
            *(
                cell
                for suite, kind in suites.items()
                for metric in cost_metrics(kind)
                for cell in _cells(results, rows.get((system, suite)), metric)
            ),
        ]
        for names, system in systems.items()
    ]
    note = (
        "loss on reference answers, and how far it is from the untouched model's at the same inference: fine-tuning "
        "moves both style and ability. Divergence: KL(system || start) of the next token on the same answers. Refused: "
        "safe prompts, percent; followed: verifiable instructions, percent; with the mean words of an answer "
        "[95 % interval]"
    )
    return Table("What safety costs", note, ["method", "inference"], titles, cells)


def cost_metrics(kind: str) -> list[str]:
    """Of a kind of suites: what its answers are judged by without the judge, or its losses."""
    return [REFUSED] if SUITE_KINDS[kind].judged else list(SUITE_KINDS[kind].headlines)


def _cells(results: Results, row: SystemRow | None, metric: str) -> list[str]:
    if metric != LOSS:
        return [value_text(row, metric)]
    moved = (
        difference_text(one)
        for one in results.comparisons
        if row and (one.a, one.b, one.suite, one.metric) == (row.system, untouched_of(row), row.suite, LOSS)
    )
    return [value_text(row, LOSS), next(moved, NOTHING)]


def untouched_of(row: SystemRow) -> str:
    """The untouched model at the same inference, of variants in the same one."""
    variant, dot, _ = row.method.rpartition(".")
    return f"{variant}{dot}{UNTOUCHED}/{row.inference}"
