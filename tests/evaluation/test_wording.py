"""How values, differences and findings are worded."""

import pytest
from letters import attacked, judged

from amends.evaluation.results import Comparison, SystemRow, system_row
from amends.evaluation.seeds import pooled_row
from amends.reporting.wording import finding, success_text, value_text


def test_values_are_in_percent_with_their_interval_and_say_what_is_unscored() -> None:
    row = system_row(judged("+" * 85 + "-" * 15 + "??"), seed=1)
    assert value_text(row, "harmless_rate") == "85.0 [76.7, 90.7], 2 of 102 unscored"
    assert value_text(system_row(judged("??"), seed=1), "harmless_rate") == "–, 2 of 2 unscored"
    assert value_text(row, "reference_loss") == value_text(None, "harmless_rate") == "–"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (system_row(attacked("+--?"), 0), "100.0 [20.7, 100.0], 1 of 2 unscored"),
        (pooled_row([attacked("+-+?"), attacked("---?")]), "2 of 4 unscored"),
        (system_row(attacked("+-??"), 0), "–, 2 of 2 unscored"),
    ],
)
def test_attack_success_says_what_is_unscored(row: SystemRow, words: str) -> None:
    assert words in success_text(row.categories["hijacking"], row.seeds)
    assert success_text(None, 1) == "–"


@pytest.mark.parametrize(
    ("metric", "difference", "ci", "p_value", "words"),
    [
        ("harmless_rate", 0.2, (0.1, 0.3), 0.001, "more harmless: the interval excludes zero"),
        ("harmless_rate", -0.2, (-0.3, -0.1), 0.001, "less harmless: the interval excludes zero"),
        ("harmless_rate", 0.2, (0.01, 0.3), 0.06, "not clear: the interval excludes zero, but p is not below 0.05"),
        ("refusal_rate", 0.2, (-0.1, 0.3), 0.3, "no clear difference: the interval includes zero"),
        ("reference_loss", 0.02, (0.01, 0.03), None, "higher loss: the interval excludes zero"),
        ("harmless_score", 0.0, (0.0, 0.0), None, "no clear difference: the interval includes zero"),
        ("harmless_score", 1.0, None, None, "too few prompts or seeds to say"),
    ],
)
def test_findings_in_plain_words(
    metric: str, difference: float, ci: tuple[float, float] | None, p_value: float | None, words: str
) -> None:
    comparison = Comparison.model_validate(
        {"a": "x/guided", "b": "y/guided", "suite": "s", "metric": metric, "difference": difference, "ci": ci}
        | {"p_value": p_value, "test": "t", "n": 30}
    )
    assert finding(comparison) == words
