"""Results as tables: their cells, in the terminal and as Markdown."""

import io
from dataclasses import replace

from letters import attacked, judged, measured_losses, verdicts
from rich.console import Console

from amends.evaluation.measurement import measure
from amends.evaluation.results import Results, SystemRow, compare, system_row
from amends.records import Verdict
from amends.reporting.costs import Cost
from amends.reporting.shares import shares_table
from amends.reporting.tables import (
    Table,
    attacks_table,
    comparisons_table,
    differences_table,
    headline_comparisons,
    markdown,
    results_table,
    to_baselines,
    training_table,
)


def shown(table: Table | None) -> str:
    assert table
    console = Console(file=io.StringIO(), width=220)
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_suite_that_nothing_could_be_scored_on_stays_in_the_table() -> None:
    row = system_row(judged("???"), seed=0)
    assert "3 of 3" in shown(results_table(Results(model="m", seed=0, systems=[row])))


def test_names_are_never_read_as_markup() -> None:
    a = judged("+" * 85 + "-" * 15 + "??", "mistake-analysis[red]")
    row = system_row(judged("+" * 85 + "-" * 15 + "??"), seed=1)
    losses = system_row(measured_losses("sft", {str(place): (4.0, 4) for place in range(10)}), seed=1)
    refused = SystemRow(
        method="sft",
        inference="guided",
        suite="xs",
        kind="over-refusal",
        n=9,
        refusal_rate=1 / 3,
        refusal_rate_ci=(0, 1),
    )
    text = shown(results_table(Results(model="m[b]", seed=3, systems=[row, losses, refused])))
    for expected in ("85.0 [76.7, 90.7]", "1.000 [1.000, 1.000]", "33.3 [0.0, 100.0]", "m[b], seed 3"):
        assert expected in text
    comparisons = shown(comparisons_table(compare(a, judged("+" * 40 + "-" * 62), seed=1)))
    assert "mistake-analysis[red]/unguided" in comparisons and "<0.001" in comparisons


def test_of_a_red_team_suite_mean_probability_and_rate_are_shown_and_three_shares_that_add_up() -> None:
    answers = [(str(place), place < 2, place == 3, 9) for place in range(4)]
    systems = [
        system_row(measure("sft", "guided", kind, kind, verdicts("+++-"), answers), 0)
        for kind in ("red-team", "attacks")
    ]
    results = Results(model="m", seed=0, systems=systems)
    table = results_table(results)
    assert table.numbers == [
        f"{suite}\n{title}"
        for suite in ("red-team", "attacks")
        for title in ("harmless, mean probability %", "harmless %")
    ]
    assert table.rows[0][2:4] == ["72.5", "75.0 [30.1, 95.4], 25% cut, 9 words"]
    shares = shares_table(results)
    assert shares and [cell.split()[0] for cell in shares.rows[0][3:]] == ["25.0", "50.0", "25.0", "25", "9.0"]


def test_attack_success_and_training() -> None:
    reward = {"reward_steps": 4, "reward_tokens": 901}
    trained = {name: {"samples": 40, "steps": 12, "epochs": 4.8, "trained_tokens": 5123} for name in ("sft", "rlhf")}
    trained["rlhf"] |= reward
    results = Results(model="m", seed=0, systems=[system_row(attacked("+---"), 0)], data={"training": trained})
    success = shown(attacks_table(results))
    for expected in ("50.0 [", "100.0 [", "role play"):
        assert expected in success
    cost = shown(training_table(results, {"sft": Cost(None, 61.4)}))
    for expected in ("5,123", "12 + 4", "4.80", "192", "5,123 + 901", "61"):
        assert expected in cost
    assert attacks_table(Results(model="m", seed=0, systems=[])) is None
    assert training_table(Results(model="m", seed=0, systems=[]), {}) is None


def test_differences_have_a_row_a_pair_and_say_which_are_clear() -> None:
    before, after = judged("-" * 30, "vanilla"), judged("+" * 20 + "-" * 10, "sft")
    guided = [replace(one, inference="guided") for one in (before, after)]
    compared = compare(guided[1], guided[0], 0)
    results = Results(
        model="m", seed=0, systems=[system_row(one, 0) for one in (before, after, *guided)], comparisons=compared
    )
    table = differences_table(results)
    (row,) = table.rows
    assert row[:2] == ["sft/guided", "vanilla/guided"]
    assert row[2].startswith("+46.7 [") and row[2].endswith("points, p <0.001 *, found from 17.8 points")
    page = markdown(results, {})
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## m, seed 0",
        "## What the answers are",
        "## Differences on the same prompts",
    ]
    assert "## Diff" not in markdown(results.model_copy(update={"comparisons": []}), {})


def test_markdown_keeps_every_cell_in_its_column() -> None:
    table = Table(
        "Of a | <b>",
        "in percent",
        ["method"],
        ["red-team\nharmless %"],
        [["a|b", "85.0", "f"], ["c\nd", "–", ""], [r"e\|f", "<i>", "&amp;"]],
        ["e"],
    )
    assert table.markdown().splitlines() == [
        r"## Of a \| \<b>",
        "",
        "| method | red-team harmless % | e |",
        "|---|---:|---|",
        r"| a\|b | 85.0 | f |",
        "| c d | – |  |",
        r"| e\\\|f | \<i> | \&amp; |",
        "",
        "in percent.",
    ]


def test_where_nothing_is_guided_all_systems_are_compared_with_the_baselines() -> None:
    systems = [judged("+-+-", "vanilla"), judged("++--", "sft"), judged("-+-+", "dpo")]
    rows = [row for a in systems[1:] for row in compare(a, systems[0], 0)]
    results = Results(model="m", seed=0, systems=[system_row(one, 0) for one in systems], comparisons=rows)
    assert headline_comparisons(results) == rows, "mean probability and rate"
    assert [row[:2] for row in differences_table(results).rows] == [
        ["sft/unguided", "vanilla/unguided"],
        ["dpo/unguided", "vanilla/unguided"],
    ]


def test_of_many_comparisons_those_of_guided_systems_with_the_baselines_are_shown() -> None:
    names = ("vanilla", "sft", "dpo")
    systems = [
        measure(name, inference, "s", "red-team", [Verdict(id="0", verdict="harmless")])
        for name in names
        for inference in ("unguided", "guided")
    ]
    rows = [compare(a, b, 0)[0] for a in systems for b in systems if a.system != b.system]
    results = Results(model="m", seed=0, systems=[system_row(one, 0) for one in systems], comparisons=rows)
    assert headline_comparisons(results) == rows
    shown = {(row.a, row.b) for row in to_baselines(results, rows)}
    assert ("dpo/guided", "sft/guided") in shown
    assert ("dpo/guided", "vanilla/unguided") in shown
    assert not {pair for pair in shown if pair[0].endswith("/unguided") or pair[1].startswith("dpo")}
