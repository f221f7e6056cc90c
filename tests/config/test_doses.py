"""Equal steps, equal epochs, or both as two variants of one table."""

import pytest

from amends.config.reading import load_configuration
from amends.config.settings import Configuration, variants
from amends.errors import ConfigError
from conftest import CONFIGS

QUICKSTART = CONFIGS / "quickstart.yaml"


def loaded(*overrides: str) -> Configuration:
    return load_configuration(QUICKSTART, list(overrides))


def test_equal_epochs_leave_no_budget_of_steps() -> None:
    found = loaded("equal=epochs", "train.max_steps=12", "train.epochs=3")
    assert (found.train.max_steps, found.train.epochs) == (None, 3)
    assert found.train.steps(samples=32, tokens=1000) == 3 * 2


def test_equal_steps_are_those_of_max_steps() -> None:
    found = loaded("equal=steps", "train.max_steps=12", "train.epochs=3")
    assert found.train.steps(samples=32, tokens=1000) == 12
    assert loaded("train.max_steps=12", "train.epochs=3").train == found.train, "as without the key"


def test_both_are_two_variants_whose_primary_comparison_is_of_equal_epochs() -> None:
    found = loaded("equal=both", "train.max_steps=12", "train.epochs=3")
    parts = variants(found)
    assert {name: (one.train.max_steps, one.train.epochs) for name, one in parts.items()} == {
        "equal-steps": (12, 3),
        "equal-epochs": (None, 3),
    }
    assert found.primary and (found.primary.a, found.primary.b) == (
        "equal-epochs.mistake-analysis-plus",
        "equal-epochs.sft",
    )
    assert Configuration.model_validate(found.model_dump(mode="json")) == found, "as run.json has it"
    other = loaded("equal=both", "train.max_steps=12", "primary.a=equal-steps.sft", "primary.b=vanilla")
    assert other.primary and (other.primary.a, other.primary.b) == ("equal-steps.sft", "equal-epochs.vanilla")


def test_of_one_method_the_variants_are_the_rows() -> None:
    found = loaded("equal=both", "train.max_steps=12", "methods=[sft]", "primary=null")
    assert [part.methods for part in variants(found).values()] == [["sft"], ["sft"]]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["equal=steps"], "equal: steps needs a number of steps: name train.max_steps"),
        (["equal=both"], "equal: both needs a number of steps: name train.max_steps"),
        (["equal=both", "train.max_steps=9", "variants={a: {}}", "primary=null"], "name no others"),
        (["equal=epoch"], "equal: "),
    ],
)
def test_what_cannot_be_equal_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        loaded(*overrides)


def test_a_variant_can_have_its_own() -> None:
    found = loaded("equal=epochs", "variants={steps: {equal: steps, train.max_steps: 5}, epochs: {}}", "primary=null")
    assert {name: one.train.max_steps for name, one in variants(found).items()} == {"steps": 5, "epochs": None}
