"""An interrupted training trains on what one that was never interrupted trains on, in the same order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import DPOTrainer
from trl.trainer.utils import RepeatSampler
from two_epochs import PAIRS, SAMPLES, TRAIN, Interrupt, same_weights

from amends.storage.artifacts import Part
from amends.training.fit import fit, steps_done
from amends.training.order import EpochOrder
from amends.training.recipe import Recipe
from amends.training.trainers.base import TRAINERS
from amends.training.trainers.rlhf import RlhfSettings
from tiny import tiny_model


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Two epochs of three steps."""
    return Recipe(str(tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")), TRAIN)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LengthGroupedSampler(4, lengths=[number % 7 for number in range(40)]),
        lambda: RepeatSampler(list(range(40)), mini_repeat_count=2, batch_size=4, seed=3),
    ],
)
def test_an_epochs_order_needs_no_earlier_epoch(make: Callable[[], Any]) -> None:
    whole, resumed = EpochOrder(make(), 5), EpochOrder(make(), 5)
    orders = []
    for epoch in range(3):
        whole.set_epoch(epoch)
        orders.append(list(whole))
    assert orders[0] != orders[1] != orders[2]
    resumed.set_epoch(2)
    assert list(resumed) == orders[2]
    assert list(EpochOrder(make(), 6)) != orders[0], "the seed counts"


def test_a_training_that_is_interrupted_in_its_second_epoch_ends_with_the_same_bytes(
    twice: Recipe, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = fit("sft", SAMPLES, whole, twice, "f")
    assert facts["steps"] == 6
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, broken, twice, "f", Interrupt(5))
    assert not broken.exists()
    told = Interrupt(7)
    assert fit("sft", SAMPLES, broken, twice, "f", told) == facts
    assert told.done == 6, "steps of before count as done"
    assert same_weights(broken, whole)


def test_a_reward_model_and_a_policy_that_are_interrupted_end_with_the_same_bytes(
    twice: Recipe, tmp_path: Path
) -> None:
    """The policy's completions are drawn anew at each step: where the draws stand is kept, too."""
    recipe = replace(twice, own=RlhfSettings(reward_epochs=2, generations=2, max_new_tokens=4))
    recipe = replace(recipe, train=TRAIN.model_copy(update={"max_steps": 2}))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = fit("rlhf", PAIRS, whole, recipe, "f")
    assert (facts["reward_steps"], len(facts["reward_log"]), facts["steps"]) == (6, 6, 2)
    for step, done in ((5, 4), (8, 7)):  # in the second epoch of the one, between the steps of the other
        with pytest.raises(KeyboardInterrupt):
            fit("rlhf", PAIRS, broken, recipe, "f", Interrupt(step))
        assert steps_done(Part(broken, "f"), TRAINERS["rlhf"]) == done
    told = Interrupt(9)
    assert fit("rlhf", PAIRS, broken, recipe, "f", told) == facts
    assert told.done == 8
    assert same_weights(broken, whole)
    reward = "reward/adapter"
    assert same_weights(tmp_path / "broken.part" / reward, tmp_path / "whole.part" / reward)


def test_a_dpo_training_that_goes_on_computes_no_reference_again(
    twice: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = 0
    compute = DPOTrainer.compute_ref_log_probs

    def counted(self: Any, *given: Any) -> Any:
        nonlocal batches
        batches += 1
        return compute(self, *given)

    monkeypatch.setattr(DPOTrainer, "compute_ref_log_probs", counted)
    with pytest.raises(KeyboardInterrupt):
        fit("dpo", PAIRS, tmp_path / "out", twice, "f", Interrupt(2))
    assert batches == 3
    facts = fit("dpo", PAIRS, tmp_path / "out", twice, "f")
    assert (facts["steps"], batches) == (6, 3)
    assert fit("dpo", PAIRS, tmp_path / "whole", twice, "f") == facts
    assert same_weights(tmp_path / "out", tmp_path / "whole")


def test_the_curve_of_many_steps_is_short_and_ends_with_the_last(
    twice: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.training.recipe.LOGGED", 3)
    recipe = replace(twice, train=TRAIN.model_copy(update={"epochs": 7 / 3, "save_steps": 3}))
    facts = fit("sft", SAMPLES, tmp_path / "whole", recipe, "f")
    assert [point["step"] for point in facts["log"]] == [2, 3, 4, 6, 7]
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, tmp_path / "broken", recipe, "f", Interrupt(5))
    assert fit("sft", SAMPLES, tmp_path / "broken", recipe, "f") == facts, "checkpoints begin a point"
