"""What every trainer is told."""

from pathlib import Path
from typing import Any

import pytest

from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings


class Several:
    """A configuration of TRL's on a machine with four GPUs."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self._n_gpu = 4

    @property
    def n_gpu(self) -> int:
        return self._n_gpu


def test_training_takes_one_card_and_a_trainers_own_settings_win(tmp_path: Path) -> None:
    found = Recipe("embedded").arguments(Several, tmp_path, 0.1, 7, num_train_epochs=5, beta=0.5)
    assert found.n_gpu == 1
    assert (found.given["max_steps"], found.given["num_train_epochs"], found.given["beta"]) == (7, 5, 0.5)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (19, 0), (40, 2), (59, 2)])
def test_a_warmup_takes_no_step_from_a_few(tmp_path: Path, steps: int, warmup: int) -> None:
    """The rate is 0 in its first step: of one step nothing would be left."""
    found = Recipe("embedded", TrainSettings(warmup_share=0.05)).arguments(Several, tmp_path, 0.1, steps)
    assert found.given["warmup_steps"] == warmup


@pytest.mark.parametrize(
    ("named", "taken"),
    [("q_proj", ["q_proj"]), ("all-linear", "all-linear"), (".*(q|v)_proj", ".*(q|v)_proj"), (["o_proj"], ["o_proj"])],
)
def test_one_layer_may_be_named_as_a_text(named: str | list[str], taken: str | list[str]) -> None:
    """PEFT takes a text for a pattern of whole paths; the layers that its error named were refused again."""
    train = TrainSettings(target_modules=named)
    assert train.target_modules == taken
    Recipe("embedded", train).check()
