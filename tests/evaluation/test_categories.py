"""Attack success by type: rows by category, of one seed or several."""

import pytest
from letters import attacked

from amends.evaluation.results import SystemRow, system_row
from amends.evaluation.seeds import pooled_row


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


def test_results_of_before_can_be_read() -> None:
    row = system_row(attacked("+---"), 0).model_dump()
    row["categories"] = {"hijacking": {"n": 2, "harmless_rate": 0.0, "harmless_rate_ci": (0.0, 0.7)}}
    read = SystemRow.model_validate(row).categories["hijacking"]
    assert (read.unscored, read.harmless_rate_bounds) == (0, None)
