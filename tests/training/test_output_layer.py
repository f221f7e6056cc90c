"""The output layer only where there is loss: TRL's own numbers, over runs on the embedded model and token by token."""

import gc
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from trl.trainer.utils import add_fused_lm_head

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import ModelError
from amends.models.base import Prompt
from amends.models.hf import LocalModel
from amends.models.loading import find_model, load_model
from amends.records import Message, Sample
from amends.training import output_layer
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from tiny import tiny_model

SETTINGS = TrainSettings(
    batch_size=2, gradient_accumulation=2, max_steps=2, learning_rate=1e-3, target_modules=["q_proj"]
)


def samples() -> list[Sample]:
    rows = load_instructions(DataSettings(source="bundled:redteam/train", limit=8))
    return [
        Sample(
            id=row.id,
            kind="safe",
            prompt=[Message(role="user", content=row.prompt)],
            completion=[Message(role="assistant", content=str(row.chosen)[:80])],
        )
        for row in rows
    ]


def losses(directory: Path) -> list[float]:
    shutil.rmtree(directory, ignore_errors=True)
    facts = fit("sft", samples(), directory, Recipe("embedded", SETTINGS), "test")
    return [entry["loss"] for entry in facts["log"]]


def models_alive() -> int:
    return sum(type(one).__name__ == "LlamaForCausalLM" for one in gc.get_objects())


def test_loss_over_a_run_is_the_plain_trainers_within_a_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = models_alive()
    ours = losses(tmp_path / "ours")
    assert models_alive() == before, "a GPU needs the room for what comes next"
    monkeypatch.setattr(output_layer, "score_labels_alone", lambda *_: None)
    assert ours == pytest.approx(losses(tmp_path / "plain"), rel=0.01)
    assert len(ours) == 2
    assert ours[0] != ours[1]


def test_kernels_that_cannot_be_compiled_are_an_error_before_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU, TRL's output layer is compiled where it is first used: after all data has been made."""
    output_layer.check_kernels("cpu")

    def fail(*_: Any) -> None:
        raise RuntimeError("Failed to find C compiler.\nPlease specify it")

    monkeypatch.setattr(output_layer.ChunkedLogProbFunction, "apply", fail)
    with pytest.raises(ModelError, match=r"compiler\. Please specify it\); install gcc"):
        output_layer.check_kernels("cpu")


def test_the_first_loss_is_what_the_untouched_model_has_on_the_answers(tmp_path: Path) -> None:
    """By another path, from text to number: an adapter changes nothing before its first step."""
    one_step = SETTINGS.model_copy(update={"batch_size": 8, "gradient_accumulation": 1, "max_steps": 1})
    facts = fit("sft", samples(), tmp_path / "out", Recipe("embedded", one_step), "test")
    pairs = [(Prompt(tuple(row.prompt)), row.completion[0].content) for row in samples()]
    losses = LocalModel("embedded").answer_losses(pairs)
    expected = sum(nats for nats, _ in losses) / sum(tokens for _, tokens in losses)
    assert facts["log"][0]["loss"] == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(("tile", "temperature"), [(1024, 1.0), (3, 0.7)])
def test_every_token_has_the_score_and_the_gradient_that_trl_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int, temperature: float
) -> None:
    monkeypatch.setattr(output_layer, "TILE_TOKENS", tile)
    model = load_model(find_model(str(tiny_model(tmp_path / "tiny")))).float()
    ids = torch.arange(40, 60).reshape(2, 10)
    labels = ids.clone()
    labels[0, :4] = labels[1, 7:] = -100
    weight = model.model.layers[0].self_attn.q_proj.weight
    weight.requires_grad_(True)

    def scored() -> tuple[Any, torch.Tensor]:
        found = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels, fused_lm_head=True)
        return found, torch.autograd.grad(found.loss, weight)[0]

    add_fused_lm_head(model, temperature, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
    theirs, their_gradient = scored()
    output_layer.score_labels_alone(model, temperature)
    ours, our_gradient = scored()
    for name in ("loss", "log_probs", "label_mask"):
        torch.testing.assert_close(getattr(ours, name).float(), getattr(theirs, name).float(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-3, atol=1e-6)
    assert model(input_ids=ids).logits.shape == (2, 10, model.config.vocab_size), "what else it does is unchanged"


@pytest.mark.parametrize(("setting", "value", "scaled"), [("logit_scale", 0.5, True), ("other", 2.0, False)])
def test_models_that_scale_their_logits_are_left_to_trl(setting: str, value: float, scaled: bool) -> None:
    class Shape:
        def get_text_config(self) -> Any:
            return self

    shape = Shape()
    setattr(shape, setting, value)
    model = type("Model", (), {"config": shape})()
    assert output_layer.scales_logits(model) is scaled
