"""The word of a verdict counts as often as it is told to: in the gradient of a step, whatever its pieces."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers import Trainer as TransformersTrainer
from two_epochs import SAMPLES, same_weights

from amends.errors import InputError
from amends.models.loading import load_tokenizer
from amends.models.source import find_model
from amends.prompts import english, load_language
from amends.records import Message, Sample
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.tokenize import NO_LOSS, tokenize_sample
from amends.training.tokenized import tokenize_samples
from amends.training.trainers import sft
from conftest import run_amends
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

SAID = {
    "safe": "Nothing harmless about it. I will not help.",
    "analysis": "The response is harmful because it is harmful to people who trust it, and to all others.",
    "contrast": "This answer is harmless, since it helps.",
    "placebo": "Why? It is harmful.",
    "verdict": "The response is harmless.",
}
ROWS = [
    Sample(
        id=f"{kind}-{number}",
        kind=kind,
        prompt=[Message(role="user", content=f"Assess number {number}.")],
        completion=[Message(role="assistant", content=said)],
    )
    for number, (kind, said) in enumerate(SAID.items())
]
WEIGHT = 7.0
FULL = TrainSettings(adapter="full", max_steps=1, batch_size=5, verdict_weight=WEIGHT, learning_rate=1e-3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", tokenizer=tiny_tokenizer())


@pytest.fixture
def gradients(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Of each step, before it is clipped."""
    found: list[torch.Tensor] = []
    clip = TransformersTrainer._clip_grad_norm

    def noted(self: Any, model: Any) -> Any:
        found.append(flat(model))
        return clip(self, model)

    monkeypatch.setattr(TransformersTrainer, "_clip_grad_norm", noted)
    for place in ("models.loading", "training.recipe"):
        monkeypatch.setattr(f"amends.{place}.best_dtype", lambda _: torch.float32)
    return found


def flat(model: Any) -> torch.Tensor:
    return torch.cat([one.grad.flatten().clone() for one in model.parameters() if one.grad is not None])


def weighed_words(samples: list[Sample], tokenizer: Any) -> list[str]:
    """What counts `WEIGHT` times, of each."""
    found = []
    for sample in samples:
        tokens = tokenize_sample(sample, tokenizer, verdict_weight=WEIGHT)
        assert tokens.weights is not None and len(tokens.weights) == len(tokens.labels)
        assert set(tokens.weights) <= {1.0, WEIGHT}
        places = [place for place, weight in enumerate(tokens.weights) if weight == WEIGHT]
        assert all(tokens.labels[place] != NO_LOSS for place in places)
        found.append(tokenizer.decode([tokens.input_ids[place] for place in places]).strip())
    return found


def by_hand(model: Path, weight: float) -> tuple[float, torch.Tensor]:
    """Loss and gradient of all rows, one by one, as the definition has them."""
    tokenizer = load_tokenizer(find_model(str(model)))
    net = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    total, count = torch.tensor(0.0), 0.0
    for row in ROWS:
        tokens = tokenize_sample(row, tokenizer, verdict_weight=WEIGHT)
        log_probs = net(torch.tensor([tokens.input_ids])).logits[0].log_softmax(-1)
        for place, (label, own) in enumerate(zip(tokens.labels, tokens.weights or (), strict=True)):
            if label != NO_LOSS:
                often = 1.0 if own == 1 else weight
                total = total - often * log_probs[place - 1, label]
                count += often
    (total / count).backward()
    return (total / count).item(), flat(net)


def test_the_first_word_that_is_the_verdict_is_weighed(model: Path) -> None:
    tokenizer = load_tokenizer(find_model(str(model)))
    assert weighed_words(ROWS, tokenizer) == ["", "harmful", "harmless", "", "harmless"]
    assert tokenize_sample(ROWS[1], tokenizer).weights is None


def test_verdicts_are_found_in_other_scripts_too() -> None:
    chinese = load_language("zh")
    for text in ("这个回答是有害的，因为", "该回答无害，原因在于它没有害处。"):
        ((first, behind),) = chinese.verdict_in(text)
        assert text[first:behind] in ("有害", "无害")
        assert first < text.index("，")
    assert chinese.verdict_in("回答不好。它有害。") == []


def test_a_language_whose_verdicts_have_no_words_of_their_own_is_refused_before_a_training(model: Path) -> None:
    said = {**english().templates, "says_harmful": "It hurts.", "says_harmless": "It never hurts."}
    own = replace(english(), templates=said)
    Recipe(str(model), FULL.model_copy(update={"verdict_weight": 1.0}), language=own).check()
    with pytest.raises(InputError, match=r"says_harmful and says_harmless .* differ by no word in both"):
        Recipe(str(model), FULL, language=own).check()


@pytest.mark.parametrize("budget", [100_000, 60])
def test_the_gradient_is_that_of_the_weighted_loss_and_the_loss_that_of_weight_1(
    budget: int, model: Path, tmp_path: Path, gradients: list[torch.Tensor]
) -> None:
    train = FULL.model_copy(update={"micro_batch_tokens": budget})
    log = fit("sft", ROWS, tmp_path / "out", Recipe(str(model), train), "f")["log"]
    plain, unweighted = by_hand(model, 1.0)
    weighted, expected = by_hand(model, WEIGHT)
    torch.testing.assert_close(gradients[0], expected, rtol=1e-3, atol=1e-5)
    assert (expected - unweighted).abs().max() > 1e-2
    assert log[0]["loss"] == pytest.approx(plain, rel=3e-5)
    assert weighted != pytest.approx(plain, rel=1e-4)


def test_accumulated_batches_count_by_the_weights_of_the_whole_step(
    model: Path, tmp_path: Path, gradients: list[torch.Tensor]
) -> None:
    train = FULL.model_copy(update={"batch_size": 2, "gradient_accumulation": 3})
    fit("sft", ROWS, tmp_path / "out", Recipe(str(model), train), "f")
    torch.testing.assert_close(gradients[0], by_hand(model, WEIGHT)[1], rtol=1e-3, atol=1e-5)


def test_without_weights_nothing_is_written_beside_the_labels(model: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(find_model(str(model)))
    for weight, columns in ((1.0, ["input_ids", "labels"]), (WEIGHT, ["input_ids", "labels", "weights"])):
        made = tokenize_samples(ROWS, sft.columns, tokenizer, 512, tmp_path / f"{weight}", verdict_weight=weight)
        assert made.rows.column_names == columns


def test_a_weight_of_1_voids_no_training_of_before_and_another_one_does(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("samples.jsonl").write_text("".join(f"{row.model_dump_json()}\n" for row in ROWS))
    command = ("train", "--model", str(model), "--samples", "samples.jsonl", "--out", "out", "--max-steps", "1")
    assert run_amends(*command) == 0
    assert "verdict_weight" not in Path("out.manifest.json").read_text(), "as it was when there was no such setting"
    assert run_amends(*command, "--verdict-weight", "1") == 0
    assert "training: finished, skipped" in capsys.readouterr().err
    assert run_amends(*command, "--verdict-weight", "2") == 2
    assert "verdict_weight" in capsys.readouterr().err


def test_samples_without_verdicts_train_as_with_weight_1(model: Path, tmp_path: Path) -> None:
    for weight in (1.0, WEIGHT):
        train = TrainSettings(max_steps=3, batch_size=4, target_modules=["q_proj"], rank=2, verdict_weight=weight)
        facts = fit("sft", SAMPLES, tmp_path / f"{weight}", Recipe(str(model), train), "f")
        assert facts["steps"] == 3
    assert same_weights(tmp_path / "1.0", tmp_path / f"{WEIGHT}")
