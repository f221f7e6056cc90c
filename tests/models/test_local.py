"""Batched generation and losses with the real embedded model."""

import json
import random
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from amends.errors import InputError, ModelError
from amends.models import source
from amends.models.base import Generation, Prompt, Sampling
from amends.models.chat import end_of_turn_token, end_tokens
from amends.models.decoding.batches import length_batches, length_pools
from amends.models.embedded import embedded_model_directory
from amends.models.hf import LocalModel
from amends.records import Message

SAMPLED = Sampling(max_new_tokens=8, temperature=0.7)
GREEDY = Sampling(max_new_tokens=8, temperature=0)


def ask(text: str, prefill: str = "", system: str | None = None) -> Prompt:
    turns = [Message(role="system", content=system)] if system else []
    return Prompt((*turns, Message(role="user", content=text)), prefill)


PROMPTS = [
    ask("Name a colour."),
    ask("Hi"),
    ask("Explain in one short sentence why the sky over the sea looks blue on a clear summer day."),
    ask("Name a colour.", system="You are terse."),
    ask("What is 2 + 2?", prefill="2 + 2 ="),
    ask("Sag etwas auf Deutsch! 😀"),
]


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return LocalModel("embedded")


@pytest.fixture(scope="module")
def exact() -> LocalModel:
    """In float32, where padding changes no token: in bfloat16 a near tie can fall otherwise in another batch."""
    loaded = LocalModel("embedded", device="cpu")
    loaded.model.float()
    return loaded


def test_the_same_call_gives_the_same_texts(model: LocalModel) -> None:
    first = model.generate(PROMPTS, SAMPLED, seed=1)
    assert model.generate(PROMPTS, SAMPLED, seed=1) == first
    assert model.generate(PROMPTS, SAMPLED, seed=2) != first
    assert len(first) == len(PROMPTS)
    assert all(1 <= made.tokens <= 8 for made in first)
    model.release()
    assert model.generate(PROMPTS, SAMPLED, seed=1) == first, "nor does it depend on what was loaded or drawn before"


def test_batching_keeps_the_order_and_changes_no_text(exact: LocalModel) -> None:
    """Prompts are ordered by length and decoded together; a prompt alone gets the same greedy text."""
    together = [made.text for made in exact.generate(PROMPTS, GREEDY, 0)]
    assert together == [exact.generate([prompt], GREEDY, 0)[0].text for prompt in PROMPTS]
    assert together[::-1] == [made.text for made in exact.generate(PROMPTS[::-1], GREEDY, 0)]
    assert len(set(together)) == len(PROMPTS), "texts in another order would be seen"


def test_the_text_goes_on_from_the_prefill_and_does_not_repeat_it(exact: LocalModel) -> None:
    prompt = ask("What is 2 + 2?", prefill="2 + 2 =")
    assert exact.render(prompt).endswith("<|im_start|>assistant\n2 + 2 =")
    (made,) = exact.generate([prompt], GREEDY, 0)
    assert made.text.startswith("4")


def test_a_finished_text_ends_before_its_end_token(exact: LocalModel) -> None:
    (made,) = exact.generate([ask("Say only: yes")], Sampling(max_new_tokens=40, temperature=0), 0)
    assert made.finished
    assert made.tokens < 40
    assert "<|" not in made.text
    (cut,) = exact.generate([ask("Tell me a long story about a dragon.")], GREEDY, 0)
    assert (cut.finished, cut.tokens) == (False, 8)


def test_nothing_to_answer(model: LocalModel) -> None:
    assert model.generate([], GREEDY, 0) == []
    assert model.answer_losses([]) == []


def test_a_prompt_beyond_the_context_gets_no_answer_and_changes_no_other(model: LocalModel) -> None:
    context = model.model.config.max_position_embeddings
    long = ask("word " * context)
    alone = model.generate(PROMPTS[:2], GREEDY, 0)
    assert model.generate([PROMPTS[0], long, PROMPTS[1]], GREEDY, 0) == [alone[0], Generation("", False, 0), alone[1]]
    assert [one.had_no_room for one in model.generate([long], GREEDY, 0)] == [True]
    with pytest.raises(InputError, match=f"embedded: {context} new tokens are all of its context; lower max_new"):
        model.generate(PROMPTS[:1], Sampling(max_new_tokens=context), 0)


def test_ends_are_the_end_of_turn_and_the_models_own(model: LocalModel) -> None:
    ends = {
        model.tokenizer.convert_ids_to_tokens(token)
        for token in end_tokens(model.tokenizer, model.model.generation_config)
    }
    assert "<|im_end|>" in ends
    assert model.tokenizer.convert_ids_to_tokens(end_of_turn_token(model.tokenizer)) == "<|im_end|>"


def test_where_the_template_ends_no_turn_the_tokenizers_own_end_does(model: LocalModel) -> None:
    """And not what opens the turn, as in GLM-4.5's template."""
    tokenizer = deepcopy(model.tokenizer)
    tokenizer.chat_template = "{% for one in messages %}<|im_start|>{{ one.role }} {{ one.content }}{% endfor %}"
    tokenizer.eos_token = "<|endoftext|>"
    assert tokenizer.convert_ids_to_tokens(end_of_turn_token(tokenizer)) == "<|endoftext|>"
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="it cannot learn to stop"):
        end_of_turn_token(tokenizer)


PAIRS = [
    (ask("Name a colour."), "Blue."),
    (ask("Why is the sky blue?"), "Air scatters short waves of light more than long ones, so that blue reaches us."),
    (ask("Hi", system="You are terse."), "Hello\n\nthere 😀"),
    (ask("What is the capital of France? " * 6), "Paris."),
]


def one_at_a_time(exact: LocalModel, prompt: Prompt, answer: str, end: str = "<|im_end|>") -> tuple[float, int]:
    """The definition: the sum over the answer's tokens and its end, without a batch, in float32."""
    import torch

    start = exact.tokenizer(exact.render(prompt), add_special_tokens=False).input_ids
    target = exact.tokenizer(answer + end, add_special_tokens=False).input_ids
    with torch.inference_mode():
        chances = exact.model(torch.tensor([start + target])).logits[0].log_softmax(-1)
    return -sum(float(chances[len(start) - 1 + n, token]) for n, token in enumerate(target)), len(target)


def test_answer_losses_are_those_of_one_pair_at_a_time_in_float32(model: LocalModel, exact: LocalModel) -> None:
    rounded, unrounded = model.answer_losses(PAIRS), exact.answer_losses(PAIRS)
    for number, (prompt, answer) in enumerate(PAIRS):
        expected, tokens = one_at_a_time(exact, prompt, answer)
        assert unrounded[number] == (pytest.approx(expected, rel=1e-4), tokens), answer
        assert rounded[number] == (pytest.approx(expected, rel=0.02), tokens), answer


def test_an_opening_is_scored_without_an_end(exact: LocalModel) -> None:
    prompt, answer = PAIRS[0]
    (found,) = exact.answer_losses([(prompt, answer)], ended=False)
    expected, tokens = one_at_a_time(exact, prompt, answer, end="")
    assert found == (pytest.approx(expected, rel=1e-4), tokens)


def test_losses_are_the_same_where_prompts_have_no_logits(exact: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose forward cannot leave them out makes them all."""
    whole = exact.answer_losses(PAIRS)
    forward, made = exact.model.forward, []

    def trimmed(logits_to_keep: int = 0, **options: Any) -> Any:
        made.append(forward(logits_to_keep=logits_to_keep, **options))
        return made[-1]

    def untrimmed(input_ids: Any, attention_mask: Any, use_cache: bool) -> Any:
        return forward(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache)

    for function in (trimmed, untrimmed):
        monkeypatch.setattr(exact.model, "forward", function)
        for found, wanted in zip(exact.answer_losses(PAIRS), whole, strict=True):
            assert found == (pytest.approx(wanted[0], rel=1e-5), wanted[1])
    (output,) = made
    contexts = [len(exact.tokenizer(exact.render(prompt)).input_ids) for prompt, _ in PAIRS]
    longest = max(sum(counts) for counts in zip(contexts, (tokens for _, tokens in whole), strict=True))
    assert output.logits.shape[:2] == (len(PAIRS), longest - min(contexts) + 1)


def test_a_fitting_answer_has_the_lower_loss(model: LocalModel) -> None:
    prompt = ask("What is the capital of France?")
    good, bad = model.answer_losses([(prompt, "The capital of France is Paris."), (prompt, "Zebra lamp seventeen of.")])
    assert good[0] / good[1] < bad[0] / bad[1] / 2


def test_length_batches_take_every_row_once_within_the_budget() -> None:
    chance = random.Random(0)
    for _ in range(300):
        lengths = [chance.randint(1, 400) for _ in range(chance.randint(0, 400))]
        budget = chance.choice([1, 500, 4_000, 100_000])
        batches = list(length_batches(lengths, budget))
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            longest = max(lengths[row] for row in batch)
            assert len(batch) == 1 or len(batch) * longest <= budget
        ordered = [lengths[row] for batch in batches for row in batch]
        assert ordered == sorted(lengths, reverse=True), "similar lengths share a batch; the longest comes first"
        assert batches == list(length_batches(lengths, budget))


def test_batches_depend_on_the_lengths_alone() -> None:
    lengths = [5, 9, 5, 1, 9]
    assert list(length_batches(lengths, 10_000)) == [[1, 4, 0, 2, 3]]


def test_pools_take_every_row_once_and_rows_of_like_lengths() -> None:
    assert length_pools([5, 9, 5, 1, 9], 0) == [[1, 4, 0, 2], [3]]
    assert length_pools([5, 9, 5, 1, 9], 20) == [[1, 4, 0, 2, 3]]
    assert length_pools([], 5) == []
    lengths = [random.Random(1).randint(1, 900) for _ in range(300)]
    pools = length_pools(lengths, 30)
    assert sorted(row for pool in pools for row in pool) == list(range(300))
    assert all(2 * (lengths[pool[-1]] + 30) >= lengths[pool[0]] + 30 for pool in pools)


def test_fingerprint_is_of_the_files_and_needs_no_loading(tmp_path: Path) -> None:
    directory = Path(embedded_model_directory())
    for file in directory.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = LocalModel(str(tmp_path)).fingerprint
    assert LocalModel(str(tmp_path)).fingerprint == before
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    changed = LocalModel(str(tmp_path)).fingerprint
    assert changed != before
    (tmp_path / "chat_template.jinja").write_text("other")
    assert LocalModel(str(tmp_path)).fingerprint != changed


def adapter(directory: Path, base: str) -> Path:
    directory.mkdir()
    (directory / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "peft_type": "LORA"}))
    (directory / "adapter_model.safetensors").write_bytes(b"weights")
    return directory


def test_adapter_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    base = str(embedded_model_directory())
    first = LocalModel("embedded", adapter(tmp_path / "a", base))
    same = LocalModel("embedded", adapter(tmp_path / "b", base))
    assert first.fingerprint == same.fingerprint != LocalModel("embedded").fingerprint
    (tmp_path / "b" / "adapter_model.safetensors").write_bytes(b"others")
    assert same.fingerprint != first.fingerprint


def test_what_is_no_adapter_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere: no adapter_config\.json in it"):
        LocalModel("embedded", tmp_path / "nowhere")
    damaged = adapter(tmp_path / "a", "x")
    for text in ("{", "[1]", '"', "[" * 100_000):
        (damaged / "adapter_config.json").write_text(text)
        with pytest.raises(ModelError, match=r"adapter_config\.json: is not readable as JSON"):
            LocalModel("embedded", damaged)
    (damaged / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="is a PEFT adapter of type None; amends takes LORA alone"):
        LocalModel("embedded", damaged)


def test_an_adapter_without_safetensors_weights_is_refused_at_once(tmp_path: Path) -> None:
    """A fingerprint does not see other files, and PEFT would ask the hub for the missing one."""
    bare = adapter(tmp_path / "a", str(embedded_model_directory()))
    (bare / "adapter_model.safetensors").rename(bare / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"a: no adapter_model\.safetensors in it; save it as safetensors"):
        LocalModel("embedded", bare)


def test_an_adapter_whose_weights_do_not_fit_is_refused(tmp_path: Path) -> None:
    broken = LocalModel("embedded", adapter(tmp_path / "a", str(embedded_model_directory())))
    with pytest.raises(ModelError, match="does not fit embedded"):
        _ = broken.model


def test_a_hub_model_is_known_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"owner/name: neither a directory here nor a model of the hub"):
        _ = LocalModel("owner/name").fingerprint
    seen = []
    for commit in ("a" * 40, "b" * 40):
        cached = tmp_path / "models--owner--name"
        (cached / "snapshots" / commit).mkdir(parents=True)
        (cached / "snapshots" / commit / "config.json").write_text("{}")
        (cached / "refs").mkdir(exist_ok=True)
        (cached / "refs" / "main").write_text(commit)
        seen.append(LocalModel("owner/name").fingerprint)
    assert seen[0] == seen[1], "a process keeps to the commit that it began with"
    source._hub_commit.cache_clear()
    assert LocalModel("owner/name").fingerprint != seen[0]
    source._hub_commit.cache_clear()
