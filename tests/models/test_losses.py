"""Losses of answers to one prompt: those of each answer alone, while the prompt is read once."""

from pathlib import Path
from typing import Any

import pytest
import torch

from amends.models.losses import PIECE_TOKENS, divergences_of, losses_of
from tiny import tiny_model

CONTEXTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14], [15, 16, 17, 18, 19]]
ANSWERS = [[20, 21, 22], [23, 24]]


def tiny(directory: Path, seed: int) -> Any:
    from transformers import AutoModelForCausalLM

    place = tiny_model(directory, seed=seed, vocab_size=256)
    return AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny(tmp_path_factory.mktemp("tiny") / "tiny", 0)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny(tmp_path_factory.mktemp("tiny") / "start", 1)


def test_a_context_with_several_answers_is_read_once(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(context, answer) for context in CONTEXTS for answer in ANSWERS]
    alone = [losses_of(model, [pair], 0)[0] for pair in pairs]
    forward, read = model.forward, []

    def counted(input_ids: Any, position_ids: Any = None, **options: Any) -> Any:
        read.append(tuple(input_ids.shape))
        return forward(input_ids=input_ids, position_ids=position_ids, **options)

    monkeypatch.setattr(model, "forward", counted)
    assert losses_of(model, pairs, 0) == pytest.approx(alone, rel=1e-5)
    assert read == [(3, 6), (6, 3)]
    read.clear()
    assert losses_of(model, [pairs[0], pairs[2]], 0) == pytest.approx([alone[0], alone[2]], rel=1e-5)
    assert read == [(2, 10)]


def test_a_model_that_is_told_no_positions_reads_each_answer_with_its_context(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [(CONTEXTS[0], answer) for answer in ANSWERS]
    wanted, forward, read = losses_of(model, pairs, 0), model.forward, []

    def without(input_ids: Any, attention_mask: Any, use_cache: bool) -> Any:
        read.append(tuple(input_ids.shape))
        return forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)

    monkeypatch.setattr(model, "forward", without)
    assert losses_of(model, pairs, 0) == pytest.approx(wanted, rel=1e-5)
    assert read == [(2, 10)]


def plainly(model: Any, start: Any, context: list[int], answer: list[int]) -> float:
    """KL(model || start) summed over the answer's tokens, token by token from the definition, in float64."""
    with torch.inference_mode():
        both = [one(torch.tensor([context + answer])).logits[0].double().softmax(-1) for one in (model, start)]
    places = range(len(context) - 1, len(context) + len(answer) - 1)
    return sum(float((both[0][place] * (both[0][place] / both[1][place]).log()).sum()) for place in places)


def test_divergences_are_those_of_the_definition_whatever_the_batch(model: Any, start: Any) -> None:
    pairs = [(context, answer) for context in CONTEXTS for answer in ANSWERS]
    pairs.append(([5, 6], [7 + place % 50 for place in range(PIECE_TOKENS + 3)]))
    found = divergences_of(model, start, pairs, 0)
    assert [one for _, one in found] == pytest.approx([plainly(model, start, *pair) for pair in pairs], rel=1e-4)
    assert [loss for loss, _ in found] == pytest.approx(losses_of(model, pairs, 0), rel=1e-5)
    assert min(one for _, one in found) > 0.1
    back = divergences_of(start, model, pairs[:1], 0)[0][1]
    assert back != pytest.approx(found[0][1], rel=1e-3), "it has a direction"


def test_a_model_does_not_diverge_from_itself(model: Any) -> None:
    assert divergences_of(model, model, [(CONTEXTS[0], ANSWERS[0])], 0)[0][1] == 0
