"""The trainer's loss against TRL's own, over a run on the embedded model."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from trl import SFTTrainer

from amends.config import TrainSettings
from amends.data.sources import load_instructions
from amends.records import Message, Sample
from amends.training import trainer as module
from amends.training.fit import fit
from amends.training.recipe import Recipe

SETTINGS = TrainSettings(
    batch_size=3, gradient_accumulation=2, max_steps=3, learning_rate=1e-3, target_modules=["q_proj"]
)


def samples() -> list[Sample]:
    rows = load_instructions("bundled:redteam/train", None, None, 18, False)
    return [
        Sample(
            id=row.id,
            kind="safe",
            prompt=[Message(role="user", content=row.prompt)],
            completion=[Message(role="assistant", content=str(row.chosen)[:200])],
        )
        for row in rows
    ]


def losses(directory: Path) -> list[float]:
    shutil.rmtree(directory, ignore_errors=True)
    facts = fit("sft", samples(), directory, Recipe("embedded", SETTINGS), "test")
    return [entry["loss"] for entry in facts["log"]]


def test_loss_over_a_run_is_the_plain_trainers_within_a_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = losses(tmp_path / "ours")
    monkeypatch.setattr(module.CompletionTrainer, "compute_loss", SFTTrainer.compute_loss)
    assert ours == pytest.approx(losses(tmp_path / "plain"), rel=0.01)
    assert len(ours) == 3
    assert ours[0] != ours[1]


@pytest.mark.parametrize(("setting", "value", "scaled"), [("logit_scale", 0.5, True), ("other", 2.0, False)])
def test_models_that_scale_their_logits_are_left_to_trl(setting: str, value: float, scaled: bool) -> None:
    class Shape:
        def get_text_config(self) -> Any:
            return self

    shape = Shape()
    setattr(shape, setting, value)
    model = type("Model", (), {"config": shape})()
    assert module._scales_logits(model) is scaled
