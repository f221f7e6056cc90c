"""A training whose weights are no numbers any more is an error, at once and with a remedy, and writes nothing."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from amends.errors import TrainingError
from amends.progress import no_progress
from amends.records import Message, Sample
from amends.training.fit import fit, step_reporter
from amends.training.recipe import Recipe, check_finite
from amends.training.settings import TrainSettings
from tiny import tiny_model

TURN = [Message(role="user", content="Name a colour.")]
SAMPLES = [
    Sample(id=str(n), kind="safe", prompt=TURN, completion=[Message(role="assistant", content="Blue.")])
    for n in range(2)
]


def broken(value: float) -> torch.nn.Module:
    module = torch.nn.Linear(2, 2)
    with torch.no_grad():
        module.weight[1, 0] = value
    return module


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_trained_weights_must_be_numbers(value: float) -> None:
    check_finite(torch.nn.Linear(2, 2))
    with pytest.raises(TrainingError, match=r"weight is no number any more.*lower the learning rate"):
        check_finite(broken(value))
    frozen = broken(value)
    frozen.weight.requires_grad_(False)
    check_finite(frozen)


def test_the_weights_are_looked_at_when_a_loss_is_no_number() -> None:
    """With float16 a step whose gradients are too large is skipped: its loss may be anything, the weights stay."""
    reporter = step_reporter(no_progress)
    state = SimpleNamespace(global_step=1)
    reporter.on_log(None, state, None, logs={"loss": 1.0}, model=broken(float("nan")))
    reporter.on_log(None, state, None, logs={"loss": float("nan")}, model=broken(0.0))
    with pytest.raises(TrainingError):
        reporter.on_log(None, state, None, logs={"loss": float("nan")}, model=broken(float("nan")))


def test_a_training_that_diverged_ends_at_once_and_writes_nothing(tmp_path: Path) -> None:
    steps = 0

    def count(rows: int, tokens: int) -> None:
        nonlocal steps
        steps += rows

    wild = TrainSettings(max_steps=6, batch_size=2, learning_rate=1e38, target_modules=["q_proj"], rank=2)
    recipe = Recipe(str(tiny_model(tmp_path / "tiny")), wild)
    with pytest.raises(TrainingError, match="lower the learning rate"):
        fit("sft", SAMPLES, tmp_path / "adapter", recipe, "f", count)
    assert 0 < steps < 6
    assert not (tmp_path / "adapter").exists()
