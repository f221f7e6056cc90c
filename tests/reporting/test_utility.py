"""What safety costs: distance from the untouched model on benign prompts, refused safe prompts, length."""

import pytest

from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, compare, system_row
from amends.records import ReferenceLoss, Verdict
from amends.reporting.shares import category_tables
from amends.reporting.utility import utility_table


def benign(method: str, factor: float) -> Measurement:
    losses = [
        ReferenceLoss(id=str(n), nats=factor * (10 + n % 3), tokens=10, divergence=10 * (factor - 1)) for n in range(20)
    ]
    return measure(method, "guided", "benign", "benign", losses=losses)


def asked(method: str, refused: int, kind: str) -> Measurement:
    """The first prompts are refused, and the last is answered harmfully."""
    verdicts = [Verdict(id=str(n), verdict="harmful" if n == 9 else "harmless", score=n != 9) for n in range(10)]
    read = [(str(n), n < refused, False, 7) for n in range(10)]
    categories = [(str(n), "fraud" if n < 5 else "theft_online") for n in range(10)]
    return measure(method, "guided", kind, kind, verdicts, read, categories=categories)


def results(*measured: Measurement) -> Results:
    compared = [
        one
        for a in measured
        for b in measured
        if (a.suite, b.method) == (b.suite, "vanilla") and a is not b
        for one in compare(a, b, 0)
    ]
    return Results(model="m", seed=0, systems=[system_row(one, 0) for one in measured], comparisons=compared)


def test_distance_from_the_start_refusals_and_words_are_columns() -> None:
    systems = [benign("vanilla", 1.0), asked("vanilla", 0, "over-refusal")]
    systems += [benign("sft", 1.1), asked("sft", 3, "over-refusal")]
    table = utility_table(results(*systems))
    assert table is not None
    assert table.numbers == [
        "benign\nloss, nats per token",
        "benign\nfrom the start",
        "benign\ndivergence, nats per token",
        "over-refusal\nrefused %",
    ]
    untouched, trained = table.rows
    assert untouched[3] == "–" and trained[3].startswith("+10.0 [")
    assert untouched[4] == "0.000 [0.000, 0.000]" and trained[4] == "0.100 [0.100, 0.100]"
    assert trained[5].startswith("30.0 [") and trained[5].endswith(", 7 words")


@pytest.mark.parametrize("kind", ["red-team", "attacks"])
def test_without_anything_but_harm_there_is_no_table(kind: str) -> None:
    assert utility_table(results(asked("sft", 2, kind))) is None


def test_each_category_of_harm_has_a_row_with_the_harmful_share_of_each_system() -> None:
    (table,) = category_tables(results(asked("vanilla", 0, "red-team"), asked("sft", 2, "red-team")))
    assert table.numbers == ["prompts", "vanilla\nguided", "sft\nguided"]
    assert [row[:2] for row in table.rows] == [["fraud", "5"], ["theft online", "5"]]
    assert table.rows[0][2].startswith("0 [") and table.rows[1][3].startswith("20 [")
    assert category_tables(results(asked("sft", 2, "attacks"))) == [], "whose success is shown by type"
