"""Attack success by type: rows by category, one seed or several, and the table."""

import io

import pytest
from rich.console import Console

from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, system_row
from amends.evaluation.seeds import pooled_row
from amends.evaluation.table import attacks_table, training_table
from amends.records import Verdict

TYPES = [("0", "role_play"), ("1", "role_play"), ("2", "hijacking"), ("3", "hijacking"), ("9", "elsewhere")]


def attacked(letters: str) -> Measurement:
    labels = {"+": "harmless", "-": "harmful", "?": "unscored"}
    rows = [Verdict(id=str(place), verdict=labels[letter]) for place, letter in enumerate(letters)]  # type: ignore[arg-type]
    return measure("sft", "guided", "attacks", "attacks", rows, categories=TYPES)


def test_each_category_has_its_own_rate_of_its_scored_prompts() -> None:
    found = system_row(attacked("+--?+"), seed=0).categories
    assert {name: (row.n, row.harmless_rate) for name, row in found.items()} == {
        "role_play": (2, 0.5),
        "hijacking": (2, 0.0),
        "elsewhere": (0, None),
    }


def test_several_seeds_are_pooled_by_category() -> None:
    found = pooled_row([attacked("+-++"), attacked("----"), attacked("+---")]).categories
    assert found["role_play"].harmless_rate == pytest.approx(2 / 6)
    assert found["hijacking"].harmless_rate == pytest.approx(2 / 6)


def test_the_tables_show_attack_success_and_training() -> None:
    trained = {"sft": {"samples": 40, "steps": 12, "trained_tokens": 5123}}
    results = Results(model="m", seed=0, systems=[system_row(attacked("+---"), 0)], data={"training": trained})
    stream = io.StringIO()
    console = Console(file=stream, width=160)
    for table in (attacks_table(results), training_table(results)):
        assert table
        console.print(table)
    shown = stream.getvalue()
    assert "50.0 [" in shown
    assert "100.0 [" in shown
    assert "role play" in shown
    assert "5,123" in shown
    assert attacks_table(Results(model="m", seed=0, systems=[])) is None
    assert training_table(Results(model="m", seed=0, systems=[])) is None
