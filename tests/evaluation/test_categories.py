"""Attack success by type: rows by category, one seed or several, and the table."""

import io

import pytest
from rich.console import Console

from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, SystemRow, compare, system_row
from amends.evaluation.seeds import pooled_row
from amends.evaluation.table import attacks, attacks_table, to_baselines, training_table
from amends.evaluation.timings import Cost
from amends.records import Verdict

TYPES = [("0", "role_play"), ("1", "role_play"), ("2", "hijacking"), ("3", "hijacking"), ("9", "elsewhere")]


def attacked(letters: str) -> Measurement:
    labels = {"+": "harmless", "-": "harmful", "?": "unscored"}
    rows = [Verdict(id=str(place), verdict=labels[letter]) for place, letter in enumerate(letters)]  # type: ignore[arg-type]
    return measure("sft", "guided", "attacks", "attacks", rows, categories=TYPES)


def test_each_category_has_its_own_rate_of_its_scored_prompts() -> None:
    found = system_row(attacked("+--?+"), seed=0).categories
    assert {
        name: (row.n, row.unscored, row.harmless_rate, row.harmless_rate_bounds) for name, row in found.items()
    } == {
        "role_play": (2, 0, 0.5, (0.5, 0.5)),
        "hijacking": (2, 1, 0.0, (0.0, 0.5)),
        "elsewhere": (0, 0, None, None),
    }


def test_several_seeds_are_pooled_by_category() -> None:
    found = pooled_row([attacked("+-++"), attacked("----"), attacked("+---")]).categories
    assert found["role_play"].harmless_rate == pytest.approx(2 / 6)
    assert found["hijacking"].harmless_rate == pytest.approx(2 / 6)
    holed = pooled_row([attacked("+-+?"), attacked("---?")]).categories["hijacking"]
    assert (holed.n, holed.unscored, holed.harmless_rate, holed.harmless_rate_bounds) == (2, 2, 0.5, (0.25, 0.75))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (system_row(attacked("+--?"), 0), "100.0 [20.7, 100.0], 1 of 2 unscored"),
        (pooled_row([attacked("+-+?"), attacked("---?")]), "2 of 4 unscored"),
        (system_row(attacked("+-??"), 0), "–, 2 of 2 unscored"),
    ],
)
def test_attack_success_says_what_is_unscored(row: SystemRow, words: str) -> None:
    found = attacks(Results(model="m", seed=0, systems=[row]))
    assert found and words in found.rows[0][1][found.types.index("hijacking")]


def test_results_of_before_can_be_read() -> None:
    row = system_row(attacked("+---"), 0).model_dump()
    row["categories"] = {"hijacking": {"n": 2, "harmless_rate": 0.0, "harmless_rate_ci": (0.0, 0.7)}}
    read = SystemRow.model_validate(row).categories["hijacking"]
    assert (read.unscored, read.harmless_rate_bounds) == (0, None)


def test_the_tables_show_attack_success_and_training() -> None:
    reward = {"reward_steps": 4, "reward_tokens": 901}
    trained = {name: {"samples": 40, "steps": 12, "trained_tokens": 5123} for name in ("sft", "rlhf")}
    trained["rlhf"] |= reward
    results = Results(model="m", seed=0, systems=[system_row(attacked("+---"), 0)], data={"training": trained})
    stream = io.StringIO()
    console = Console(file=stream, width=160)
    for table in (attacks_table(results), training_table(results, {"sft": Cost(None, 61.4)})):
        assert table
        console.print(table)
    shown = stream.getvalue()
    assert "50.0 [" in shown
    assert "100.0 [" in shown
    assert "role play" in shown
    assert "5,123" in shown
    assert "12 + 4" in shown
    assert "5,123 + 901" in shown
    assert "61" in shown
    assert attacks_table(Results(model="m", seed=0, systems=[])) is None
    assert training_table(Results(model="m", seed=0, systems=[]), {}) is None


def test_of_many_comparisons_those_of_guided_systems_with_the_baselines_are_shown() -> None:
    names = ("vanilla", "sft", "dpo")
    systems = [
        measure(name, inference, "s", "red-team", [Verdict(id="0", verdict="harmless")])
        for name in names
        for inference in ("unguided", "guided")
    ]
    rows = [compare(a, b, 0)[0] for a in systems for b in systems if a.system != b.system]
    results = Results(model="m", seed=0, systems=[system_row(one, 0) for one in systems], comparisons=rows)
    shown = {(row.a, row.b) for row in to_baselines(results, rows)}
    assert ("dpo/guided", "sft/guided") in shown
    assert ("dpo/guided", "vanilla/unguided") in shown
    assert not {pair for pair in shown if pair[0].endswith("/unguided") or pair[1].startswith("dpo")}
