"""An interrupted training trains on what one that was never interrupted trains on, in the same order."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl import DPOTrainer
from trl.trainer.utils import RepeatSampler

from amends.artifacts import Part
from amends.config import PreferenceSettings, TrainSettings
from amends.records import Message, Preference, Sample
from amends.training.fit import fit, steps_done
from amends.training.order import EpochOrder
from amends.training.recipe import Recipe

WORDS = ["Blue.", "Green and red.", "A rather long answer about colours.", "White, black and grey, in that order."]
SAMPLES = [
    Sample(
        id=str(number),
        kind="safe",
        prompt=[Message(role="user", content=f"Name colour number {number}.")],
        completion=[Message(role="assistant", content=WORDS[number % 4])],
    )
    for number in range(6)
]
PAIRS = [
    Preference(**sample.model_dump(exclude={"kind"}), kind="preference", rejected=SAMPLES[number - 1].completion)
    for number, sample in enumerate(SAMPLES)
]
TWICE = Recipe(
    "embedded",
    TrainSettings(epochs=2, batch_size=2, learning_rate=1e-2, target_modules=["q_proj"], rank=2, save_steps=1),
)


class Interrupt:
    """A progress callback that ends a training at a step."""

    def __init__(self, step: int) -> None:
        self.step, self.done = step, 0

    def __call__(self, rows: int, tokens: int) -> None:
        self.done += rows
        if self.done >= self.step:
            raise KeyboardInterrupt


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


def test_a_training_that_is_interrupted_in_its_second_epoch_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = fit("sft", SAMPLES, whole, TWICE, "f")
    assert facts["steps"] == 6
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, broken, TWICE, "f", Interrupt(5))
    assert not broken.exists()
    told = Interrupt(7)
    assert fit("sft", SAMPLES, broken, TWICE, "f", told) == facts
    assert told.done == 6, "steps of before count as done"
    assert same_weights(broken, whole)


def test_a_reward_model_that_is_interrupted_ends_with_the_same_bytes(tmp_path: Path) -> None:
    recipe = replace(TWICE, preference=PreferenceSettings(reward_epochs=2, generations=2, max_new_tokens=2))
    recipe = replace(recipe, train=recipe.train.model_copy(update={"max_steps": 1}))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    facts = fit("rlhf", PAIRS, whole, recipe, "f")
    assert (facts["reward_steps"], len(facts["reward_log"])) == (6, 6)
    with pytest.raises(KeyboardInterrupt):
        fit("rlhf", PAIRS, broken, recipe, "f", Interrupt(5))
    assert steps_done(Part(broken, "f")) == 4
    told = Interrupt(9)
    assert fit("rlhf", PAIRS, broken, recipe, "f", told) == facts
    assert told.done == 7
    for file in ("adapter_model.safetensors", "../broken.part/reward/adapter/adapter_model.safetensors"):
        assert (broken / file).read_bytes() == (whole / file.replace("broken", "whole")).read_bytes()


def test_a_dpo_training_that_goes_on_computes_no_reference_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = 0
    compute = DPOTrainer.compute_ref_log_probs

    def counted(self: Any, *given: Any) -> Any:
        nonlocal batches
        batches += 1
        return compute(self, *given)

    monkeypatch.setattr(DPOTrainer, "compute_ref_log_probs", counted)
    with pytest.raises(KeyboardInterrupt):
        fit("dpo", PAIRS, tmp_path / "out", TWICE, "f", Interrupt(2))
    assert batches == 3
    facts = fit("dpo", PAIRS, tmp_path / "out", TWICE, "f")
    assert (facts["steps"], batches) == (6, 3)
    assert fit("dpo", PAIRS, tmp_path / "whole", TWICE, "f") == facts
    assert same_weights(tmp_path / "out", tmp_path / "whole")


def test_a_policy_that_is_interrupted_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """Its completions are drawn anew at each step: where the draws stand is kept, too."""
    recipe = replace(TWICE, preference=PreferenceSettings(generations=2, max_new_tokens=4))
    recipe = replace(recipe, train=recipe.train.model_copy(update={"max_steps": 3}))
    facts = fit("rlhf", PAIRS, tmp_path / "whole", recipe, "f")
    assert (facts["reward_steps"], facts["steps"]) == (3, 3)
    with pytest.raises(KeyboardInterrupt):
        fit("rlhf", PAIRS, tmp_path / "broken", recipe, "f", Interrupt(5))
    assert steps_done(Part(tmp_path / "broken", "f")) == 4
    assert fit("rlhf", PAIRS, tmp_path / "broken", recipe, "f") == facts
    assert same_weights(tmp_path / "broken", tmp_path / "whole")


def same_weights(one: Path, other: Path) -> bool:
    weights = "adapter_model.safetensors"
    return (one / weights).read_bytes() == (other / weights).read_bytes()


def test_the_curve_of_many_steps_is_short_and_ends_with_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.training.recipe.LOGGED", 3)
    recipe = replace(TWICE, train=TWICE.train.model_copy(update={"epochs": 7 / 3, "save_steps": 3}))
    facts = fit("sft", SAMPLES, tmp_path / "whole", recipe, "f")
    assert [point["step"] for point in facts["log"]] == [2, 3, 4, 6, 7]
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, tmp_path / "broken", recipe, "f", Interrupt(5))
    assert fit("sft", SAMPLES, tmp_path / "broken", recipe, "f") == facts, "checkpoints begin a point"
