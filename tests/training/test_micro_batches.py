"""A batch that is computed in pieces has the loss and the gradient of the whole, whatever its samples' lengths."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import Linear
from transformers import Trainer as TransformersTrainer

from amends.models.size import Size
from amends.records import Message, Preference, Sample
from amends.training import memory
from amends.training.fit import fit
from amends.training.memory import micro_batch_tokens, training_memory
from amends.training.micro_batches import micro_batches
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from tiny import tiny_model

ASKED = [Message(role="user", content="Name a colour.")]
LENGTHS = (1, 9, 2, 7, 3, 8, 2, 5)
TRAIN = TrainSettings(max_steps=2, batch_size=8, target_modules=["q_proj", "v_proj"], rank=4, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


def samples(kind: str) -> list[Sample]:
    said = [[Message(role="assistant", content="Blue or green. " * number)] for number in LENGTHS]
    if kind == "sft":
        return [Sample(id=str(n), kind="safe", prompt=ASKED, completion=one) for n, one in enumerate(said)]
    worse = [[Message(role="assistant", content="Tuesday! " * number)] for number in reversed(LENGTHS)]
    return [
        Preference(id=str(n), kind="preference", prompt=ASKED, completion=one, rejected=other)
        for n, (one, other) in enumerate(zip(said, worse, strict=True))
    ]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_the_gradient_of_the_pieces_is_that_of_the_batch(
    kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.models.loading.best_dtype", lambda _: torch.float32)  # so that rounding is small
    monkeypatch.setattr("amends.training.recipe.best_dtype", lambda _: torch.float32)
    read: list[tuple[int, int]] = []
    step = TransformersTrainer.training_step

    def counted(self: Any, model: Any, inputs: Any, *rest: Any) -> Any:
        read.append(tuple(inputs["input_ids"].shape))
        return step(self, model, inputs, *rest)

    gradients: list[torch.Tensor] = []
    clip = TransformersTrainer._clip_grad_norm

    def noted(self: Any, model: Any) -> Any:
        gradients.append(torch.cat([p.grad.flatten().clone() for p in model.parameters() if p.requires_grad]))
        return clip(self, model)

    monkeypatch.setattr(TransformersTrainer, "training_step", counted)
    monkeypatch.setattr(TransformersTrainer, "_clip_grad_norm", noted)
    found = {}
    for budget in (100_000, 120):
        read.clear()
        train = TRAIN.model_copy(update={"micro_batch_tokens": budget})
        found[budget] = fit(kind, samples(kind), tmp_path / str(budget), Recipe(str(model), train), "f")["log"]
        if budget == 120:
            assert len(read) > 2 * 2
            assert all(rows * tokens <= budget or rows <= 2 for rows, tokens in read)
            assert len({tokens for _, tokens in read}) > 1, "a piece of short samples has no padding of long ones"
        else:
            assert len(read) == 2
    whole, pieces = found.values()
    for one, other in zip(whole, pieces, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-5), "the curve, too: of dpo the accuracy of all pairs"
    first, _, in_pieces, _ = gradients  # Adam makes steps of rounding, so that the second ones differ
    torch.testing.assert_close(in_pieces, first, rtol=1e-3, atol=1e-5)
    assert first.abs().max() > 1e-4


def test_adapters_take_their_inputs_in_the_precision_of_the_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("models.loading", "training.recipe"):
        monkeypatch.setattr(f"amends.{place}.best_dtype", lambda _: torch.bfloat16)
    seen, forward = set(), Linear.forward

    def watched(self: Any, x: torch.Tensor, *rest: Any, **named: Any) -> Any:
        seen.add(self._cast_input_dtype(x, torch.float32).dtype)
        return forward(self, x, *rest, **named)

    monkeypatch.setattr(Linear, "forward", watched)
    facts = fit("sft", samples("sft"), tmp_path / "out", Recipe(str(model), TRAIN), "f")
    assert seen == {torch.bfloat16}, "in float32 they take twice the memory"
    assert facts["log"][1]["loss"] < facts["log"][0]["loss"]


def test_pieces_keep_a_pairs_sides_together() -> None:
    lengths = [3, 5, 2, 4, 1, 6]  # of three pairs: 3 and 4, 5 and 1, 2 and 6 tokens
    mask = torch.tensor([[1] * length + [0] * (6 - length) for length in lengths])
    inputs = {"attention_mask": mask, "input_ids": torch.arange(36).reshape(6, 6), "scores": torch.arange(3)}
    found = micro_batches(inputs, 20, sides=2)
    assert [places for places, _ in found] == [[2], [1, 0]]
    (_, first), (_, second) = found
    assert first["input_ids"].tolist() == [inputs["input_ids"][2].tolist(), inputs["input_ids"][5].tolist()]
    assert second["input_ids"].tolist() == inputs["input_ids"][[1, 0, 4, 3], :5].tolist()
    assert (first["scores"].tolist(), second["scores"].tolist()) == ([2], [1, 0])
    ((places, whole),) = micro_batches(inputs, 1_000, sides=2)
    assert places == [0, 1, 2]
    assert whole["input_ids"] is inputs["input_ids"], "what fits is left as it is"


def test_a_budget_follows_the_memory_until_the_caches_bound_it(monkeypatch: pytest.MonkeyPatch) -> None:
    size = Size(1_000_000, 2, layers=4, hidden=32, vocabulary=100, linear={"layers.0.q_proj": (32, 32)})
    assert micro_batch_tokens(TRAIN.model_copy(update={"micro_batch_tokens": 77}), size) == 77
    assert micro_batch_tokens(TRAIN, size) == memory.MOST_TOKENS["cpu"]
    monkeypatch.setattr(memory, "memory_bytes", lambda _: 1_005_000_000)
    tight = micro_batch_tokens(TRAIN, size)
    assert 1 < tight < memory.MOST_TOKENS["cpu"]
    assert training_memory(TRAIN, size).bytes(tight) <= 0.6 * 1_005_000_000
    monkeypatch.setattr(memory, "memory_bytes", lambda _: 1)
    assert micro_batch_tokens(TRAIN, size) == 1, "a sample is always computed"


@pytest.mark.parametrize("processes", [2, 3, 5])
def test_a_batch_is_dealt_whole_and_evenly(processes: int) -> None:
    lengths = [3, 5, 2, 4]
    mask = torch.tensor([[1] * length + [0] * (5 - length) for length in lengths])
    inputs = {"attention_mask": mask, "input_ids": torch.arange(20).reshape(4, 5)}
    dealt = [micro_batches(inputs, 6, 1, processes, rank) for rank in range(processes)]
    assert sorted(place for pieces in dealt for places, _ in pieces for place in places) == [0, 1, 2, 3]
    assert len({len(pieces) for pieces in dealt}) == 1, "all meet equally often"
    read = [sum(lengths[place] for places, _ in pieces for place in places) for pieces in dealt]
    assert max(read) - min(read) <= max(lengths)
    for pieces in dealt:
        for places, piece in pieces:
            stands_for = places or [2]
            assert (
                piece["input_ids"].tolist() == inputs["input_ids"][stands_for, : piece["input_ids"].shape[1]].tolist()
            )
            assert piece["attention_mask"].sum() == sum(lengths[place] for place in stands_for)
