"""Decoding in slots against the library's `generate`, in float32, where another batch changes no token."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from amends.models.base import Prompt
from amends.models.chat import end_tokens
from amends.models.decoding.batches import shared_prefix
from amends.models.decoding.decoders import BatchDecoder, SlotDecoder
from amends.models.decoding.sampling import Sampler
from amends.models.decoding.slots import can_decode_in_slots, slots_for
from amends.models.hf import LocalModel
from amends.records import Message
from tiny import tiny_model

QUESTIONS = [
    "Say only: yes",
    "Name a colour.",
    "Hi",
    "What is 2 + 2?",
    "Explain in one short sentence why the sky over the sea looks blue on a clear summer day.",
    "List three fruits.",
    "Say only: no",
    "Which animal says meow?",
    "Tell me a long story about a dragon and a knight who meet at the river.",
]
NEW_TOKENS = 14


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """A tiny model; a token in twelve ends its rows."""
    return in_float32(str(tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")))


def in_float32(name: str) -> LocalModel:
    loaded = LocalModel(name, device="cpu")
    loaded.model.float()
    return loaded


def encoded(model: LocalModel) -> list[list[int]]:
    rendered = [model.render(Prompt((Message(role="user", content=text),))) for text in QUESTIONS]
    return sorted((model.tokenizer(text, add_special_tokens=False).input_ids for text in rendered), key=len)[::-1]


@pytest.fixture(scope="module")
def prompts(exact: LocalModel) -> list[list[int]]:
    return encoded(exact)


def parts(exact: LocalModel, temperature: float = 0.0, seed: int = 0) -> tuple[Any, Sampler, frozenset[int], int]:
    sampler = Sampler(temperature, 1.0, seed, "cpu")
    return exact.model, sampler, frozenset(range(0, 49_152, 12)), exact.tokenizer.pad_token_id


@pytest.mark.parametrize("slots", [1, 3, 8, 100])
def test_slots_give_what_generate_gives(exact: LocalModel, prompts: list[list[int]], slots: int) -> None:
    """Whatever the number of slots: with 3, rows end, ranks close and newcomers come in, many times."""
    expected = BatchDecoder(*parts(exact)).decode(prompts, NEW_TOKENS, 100)
    made = SlotDecoder(*parts(exact)).decode(prompts, NEW_TOKENS, slots)
    assert made == expected
    assert {len(ids) < NEW_TOKENS for ids in made} == {True, False}, "some rows end early, some do not"


def test_the_embedded_model_says_in_slots_what_it_says_with_generate() -> None:
    model = in_float32("embedded")
    prompts, given = encoded(model)[-5:], (model.model, Sampler(0, 1.0, 0, "cpu"))
    ends = end_tokens(model.tokenizer, model.model.generation_config)
    expected = BatchDecoder(*given, ends, model.tokenizer.pad_token_id).decode(prompts, NEW_TOKENS, 100)
    assert SlotDecoder(*given, ends, model.tokenizer.pad_token_id).decode(prompts, NEW_TOKENS, 2) == expected
    assert {len(ids) < NEW_TOKENS for ids in expected} == {True, False}


def test_without_a_shared_prefix_too(exact: LocalModel, prompts: list[list[int]]) -> None:
    others = [ids[number:] for number, ids in enumerate(prompts)]
    assert shared_prefix(prompts) > 8
    assert shared_prefix(others) == 0
    expected = BatchDecoder(*parts(exact)).decode(others, NEW_TOKENS, 100)
    assert SlotDecoder(*parts(exact)).decode(others, NEW_TOKENS, 4) == expected


def test_progress_counts_each_row_and_its_tokens_once(exact: LocalModel, prompts: list[list[int]]) -> None:
    told: list[tuple[int, int]] = []
    for decoder in (SlotDecoder, BatchDecoder):
        told.clear()
        made = decoder(*parts(exact), lambda *done: told.append(done)).decode(prompts, NEW_TOKENS, 4)
        assert sum(rows for rows, _ in told) == len(prompts)
        assert sum(tokens for _, tokens in told) == sum(len(ids) for ids in made)


def test_same_seed_same_tokens(exact: LocalModel, prompts: list[list[int]]) -> None:
    first = SlotDecoder(*parts(exact, 1.0, seed=4)).decode(prompts, NEW_TOKENS, 3)
    assert SlotDecoder(*parts(exact, 1.0, seed=4)).decode(prompts, NEW_TOKENS, 3) == first
    assert SlotDecoder(*parts(exact, 1.0, seed=5)).decode(prompts, NEW_TOKENS, 3) != first


def test_the_prefix_leaves_two_tokens_to_each_prompt() -> None:
    same = list(range(20))
    assert shared_prefix([same, same]) == 18
    assert shared_prefix([same, [*same[:12], 99, 98, 97]]) == 12
    assert shared_prefix([same, [*same[:7], 99, 98]]) == 0, "too short to pay"
    assert shared_prefix([same]) == 0


def test_a_model_with_sliding_layers_takes_generate_where_a_row_reaches_the_window() -> None:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    shape = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "head_dim": 8}
    sliding = Gemma3ForCausalLM(Gemma3TextConfig(**shape, num_hidden_layers=7, num_key_value_heads=1))
    assert can_decode_in_slots(sliding, 4096)
    assert not can_decode_in_slots(sliding, 4097)
    prompts = [[*range(4, 16), 5, 6, 7], [*range(4, 16), 8, 9], [*range(4, 16), 8]]
    made = [
        kind(sliding.eval(), Sampler(0, 1.0, 0, "cpu"), frozenset({1}), 0).decode(prompts, 4, 2)
        for kind in (SlotDecoder, BatchDecoder)
    ]
    assert made[0] == made[1]
    assert all(len(ids) == 4 or 1 in ids for ids in made[0])


def test_slots_are_what_fits_into_the_memory_share(exact: LocalModel) -> None:
    assert slots_for(exact.model, 50) == 128, "many short rows fit; the number has a cap"
    few = slots_for(exact.model, 20_000_000)
    assert few == 1, "a row is decoded even where the share is too small"


def test_slots_of_a_card_are_bounded_by_the_memory_that_its_weights_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = SimpleNamespace(num_hidden_layers=2, num_key_value_heads=4, head_dim=64)
    model: Any = SimpleNamespace(
        config=SimpleNamespace(get_text_config=lambda: shape),
        dtype=torch.bfloat16,
        device=torch.device("cuda"),
        get_memory_footprint=lambda: 2**30,
    )
    for memory, slots in ((2**40, 2_048), (2**30 + 10 * 100 * 2_048, 4), (2**30, 1), (0, 1)):
        card = SimpleNamespace(total_memory=memory)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, card=card: card)
        assert slots_for(model, 100) == slots, "a row of 100 tokens takes 2 x 2 x 4 x 64 x 2 x 100 bytes"
