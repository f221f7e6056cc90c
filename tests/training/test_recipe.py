"""What every trainer is told."""

from pathlib import Path
from typing import Any

from amends.training.recipe import Recipe


class Several:
    """A configuration of TRL's on a machine with four cards."""

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.n_gpu = self._n_gpu = 4


def test_training_takes_one_card_and_a_trainers_own_settings_win(tmp_path: Path) -> None:
    found = Recipe("embedded").arguments(Several, tmp_path, 0.1, 7, num_train_epochs=5, beta=0.5)
    assert found._n_gpu == 1
    assert (found.given["max_steps"], found.given["num_train_epochs"], found.given["beta"]) == (7, 5, 0.5)
