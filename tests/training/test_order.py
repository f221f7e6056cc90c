"""An interrupted training trains on what one that was never interrupted trains on, in the same order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers.trainer_pt_utils import LengthGroupedSampler
from trl.trainer.utils import RepeatSampler

from amends.config import TrainSettings
from amends.records import Message, Sample
from amends.training.fit import fit
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
TWICE = Recipe(
    "embedded",
    TrainSettings(epochs=2, batch_size=2, learning_rate=1e-2, target_modules=["q_proj"], rank=2, save_steps=1),
)


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
    done = 0

    def interrupt(rows: int, tokens: int) -> None:
        nonlocal done
        done += rows
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, broken, TWICE, "f", interrupt)
    assert not broken.exists()
    assert fit("sft", SAMPLES, broken, TWICE, "f") == facts
    weights = "adapter_model.safetensors"
    assert (broken / weights).read_bytes() == (whole / weights).read_bytes()
