"""Tiny models of other architectures than the embedded one's, with random weights: each path gives transformers' own.

What they differ in: windows that slide (Gemma 2), images beside text, with states in the place of keys (Qwen3.5) or
with layers of unequal shapes (Gemma 4), experts (Mixtral), fused projections (Phi-3), names (GPT-2), no attention
(Mamba-2).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForImageTextToText

from amends.errors import ModelError
from amends.judges.probe import Extractor
from amends.models.base import Prompt, Sampling
from amends.models.decoding.slots import state_bytes
from amends.models.hf import LocalModel
from amends.models.loading import find_model, load_tokenizer
from amends.records import Message, Preference, Sample
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers import rlhf
from amends.training.trainers.rlhf import reward_model

NEW_TOKENS = 8
SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 2048,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
LINEAR = {"linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4}
NO_ATTENTION = {"num_attention_heads": None, "num_key_value_heads": None}
FAMILIES: dict[str, dict[str, Any]] = {
    "gemma2": {"sliding_window": 8, "query_pre_attn_scalar": 8},
    "qwen3_5": {"num_hidden_layers": 4, "layer_types": ["linear_attention"] * 3 + ["full_attention"], **LINEAR},
    "gemma4": {"sliding_window": 8},
    "mixtral": {"num_local_experts": 4},
    "phi3": {},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 2048},
    "mamba2": {"num_heads": 8, "state_size": 8, "n_groups": 1, "chunk_size": 16, **NO_ATTENTION},
}
OF_IMAGES: dict[str, dict[str, Any]] = {
    "qwen3_5": {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32},
    "gemma4": {},
}
QUESTIONS = ["Hi", "Name a colour, please, and say why you chose it.", "What?", "Why is the sky over the sea so blue?"]
PROMPTS = [Prompt((Message(role="user", content=question),)) for question in QUESTIONS]
ANSWER = "A short answer."


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a tiny model of a family, with the embedded model's tokenizer, and returns its directory."""
    tokenizer = load_tokenizer(find_model("embedded"))
    made: dict[str, Path] = {}

    def one(family: str) -> Path:
        if family not in made:
            torch.manual_seed(0)
            shape = (SHAPE | {"vocab_size": len(tokenizer)} | FAMILIES[family]).items()
            shape = {name: value for name, value in shape if value is not None}
            if family in OF_IMAGES:
                parts = {"text_config": shape, "vision_config": OF_IMAGES[family] or None}
                model = AutoModelForImageTextToText.from_config(CONFIG_MAPPING[family](**parts)).float()
            else:
                model = AutoModelForCausalLM.from_config(CONFIG_MAPPING[family](**shape)).float()
            for weight in model.parameters():
                if weight.dim() > 1:
                    torch.nn.init.normal_(weight, std=0.2)  # so that what is likeliest is clearly so
            made[family] = tmp_path_factory.mktemp(family)
            model.save_pretrained(made[family])
            tokenizer.save_pretrained(made[family])
        return made[family]

    return one


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.models.loading.best_dtype", lambda _: torch.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_those_of_generate_one_at_a_time(family: str, make: Callable[[str], Path]) -> None:
    model = LocalModel(str(make(family)))
    ours = [one.text for one in model.generate(PROMPTS, Sampling(NEW_TOKENS, temperature=0), 0)]
    theirs = []
    for prompt in PROMPTS:
        ids = torch.tensor([model.tokenizer(model.render(prompt), add_special_tokens=False).input_ids])
        given = {"attention_mask": torch.ones_like(ids), "do_sample": False, "pad_token_id": 0}
        made = model.model.generate(input_ids=ids, max_new_tokens=NEW_TOKENS, **given)[0, ids.shape[1] :]
        theirs.append(model.generation_of(made.tolist(), frozenset([2])).text)
    assert ours == theirs


def test_states_count_in_the_memory_of_a_row(make: Callable[[str], Path]) -> None:
    for family, layers, numbers in (("qwen3_5", 3, 4 * 8 * 8), ("mamba2", 2, 8 * 8 * 8), ("phi3", 0, 0)):
        shape = LocalModel(str(make(family))).model.config.get_text_config()
        assert state_bytes(shape) == 4 * layers * numbers, family


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_do_not_depend_on_what_is_read_together(family: str, make: Callable[[str], Path]) -> None:
    model = LocalModel(str(make(family)))
    together = model.answer_losses([(prompt, ANSWER) for prompt in PROMPTS])
    for loss, prompt in zip(together, PROMPTS, strict=True):
        assert loss == pytest.approx(model.answer_losses([(prompt, ANSWER)])[0], rel=1e-4)


@pytest.mark.parametrize("family", ["gemma2", "qwen3_5", "gemma4", "mixtral", "phi3"])
def test_hidden_states_do_not_depend_on_what_is_read_together(family: str, make: Callable[[str], Path]) -> None:
    extractor = Extractor(find_model(str(make(family))), [1, 2], "response")
    together = extractor.features([(question, ANSWER) for question in QUESTIONS])
    alone = np.concatenate([extractor.features([(question, ANSWER)]) for question in QUESTIONS])
    assert np.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "kind"), [("gemma4", "sft"), ("qwen3_5", "sft"), ("mixtral", "sft"), ("mixtral", "dpo"), ("phi3", "dpo")]
)
def test_an_adapter_is_trained_and_taken_up_again(
    family: str, kind: str, make: Callable[[str], Path], tmp_path: Path
) -> None:
    def turn(role: Any, text: str) -> list[Message]:
        return [Message(role=role, content=text)]

    directory, rows = make(family), list[Sample]()
    for number, question in enumerate(QUESTIONS):
        named = {
            "id": str(number),
            "prompt": turn("user", question),
            "completion": turn("assistant", "No, I will not."),
        }
        bad = turn("assistant", "Sure.")
        rows.append(
            Sample(kind="safe", **named) if kind == "sft" else Preference(kind="preference", rejected=bad, **named)
        )
    train = TrainSettings(max_steps=2, batch_size=2, gradient_accumulation=1, learning_rate=1e-3)
    recipe = Recipe(str(directory), train)
    recipe.check()
    facts = fit(kind, rows, tmp_path / "adapter", recipe, "f", lambda *_: None)
    assert facts["steps"] == 2
    asked = [(PROMPTS[0], "No, I will not.")]
    before = LocalModel(str(directory)).answer_losses(asked)[0][0]
    assert LocalModel(str(directory), tmp_path / "adapter").answer_losses(asked)[0][0] < before


def test_what_cannot_be_trained_is_refused_with_what_can(make: Callable[[str], Path]) -> None:
    with pytest.raises(
        ModelError, match=r"target_modules: does not fit .*'out_proj' is incompatible.*: in_proj, out_proj$"
    ):
        Recipe(str(make("mamba2"))).check()
    Recipe(str(make("mamba2")), TrainSettings(target_modules=["in_proj"])).check()
    with pytest.raises(ModelError, match="no adapter on the output layer"):
        Recipe(str(make("phi3")), TrainSettings(target_modules=["lm_head"])).check()


def test_a_reward_model_reads_several_answers_at_once(make: Callable[[str], Path]) -> None:
    """Of a model of images and text, whose text has a configuration of its own."""
    directory = make("qwen3_5")
    recipe, tokenizer = Recipe(str(directory)), load_tokenizer(find_model(str(directory)))
    recipe.check([rlhf.check])
    scorer = reward_model(recipe, tokenizer)
    with torch.inference_mode():
        assert scorer(input_ids=torch.tensor([[5, 6, 0], [7, 8, 9]])).logits.shape == (2, 1)


def test_a_model_without_a_reward_model_is_refused_for_rlhf(make: Callable[[str], Path]) -> None:
    Recipe(str(make("mixtral"))).check([rlhf.check])
    Recipe(str(make("gemma4"))).check()
    with pytest.raises(ModelError, match="transformers has no reward model of a Gemma4ForConditionalGeneration; leave"):
        Recipe(str(make("gemma4"))).check([rlhf.check])
