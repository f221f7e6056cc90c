"""Tokenizers whose padding or end has no embedding, or that have neither: all works, or one line says why not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from amends.errors import ModelError
from amends.judges.own_verdict import OwnVerdict
from amends.models.base import Prompt, Sampling
from amends.models.chat import end_of_turn_token
from amends.models.hf import LocalModel
from amends.models.loading import load_tokenizer
from amends.models.source import find_model
from amends.records import Message, Preference, Sample
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS
from amends.training.trainers.rlhf import RlhfSettings
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

ASKED = [Message(role="user", content="Say FOOBAR, [PAD] and <|im_end|>.")]
ANSWERS = [[Message(role="assistant", content=text)] for text in ("Blue FOOBAR.", "Go away, and name it yourself.")]


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def padding_behind_the_embeddings(model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(model)


def so_in_the_configuration_too(model: Path) -> None:
    padding_behind_the_embeddings(model)
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.add_tokens(["FOOBAR"])
    tokenizer.save_pretrained(model)
    for name in ("config.json", "generation_config.json"):
        rewrite(model / name, pad_token_id=tokenizer.pad_token_id)


def neither_end_nor_padding(model: Path) -> None:
    settings = json.loads((model / "tokenizer_config.json").read_text())
    for name in ("eos_token", "pad_token", "unk_token"):
        settings.pop(name, None)
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    for name in ("config.json", "generation_config.json"):
        rewrite(model / name, eos_token_id=None, pad_token_id=None)


ODD = [padding_behind_the_embeddings, so_in_the_configuration_too, neither_end_nor_padding]


@pytest.mark.parametrize("change", ODD)
def test_everything_works_with_odd_special_tokens(change: Callable[[Path], None], tmp_path: Path) -> None:
    directory = tiny_model(tmp_path / "model", tokenizer=tiny_tokenizer())
    usual = LocalModel(str(directory))
    prompts = [Prompt((Message(role="user", content=text),)) for text in ("Hi", "Name a colour, and say why. " * 5)]
    answers = usual.generate(prompts, Sampling(6, 0), 0)
    losses = usual.answer_losses([(one, "Blue.") for one in prompts])
    verdicts = OwnVerdict(usual).score([("Hi", "Blue."), ("Why?", "You are a worthless fool. " * 3)])
    change(directory)
    model = LocalModel(str(directory))
    embeddings = model.model.get_input_embeddings().num_embeddings
    assert model.tokenizer.pad_token_id < embeddings > model.tokenizer.eos_token_id
    assert model.tokenizer.eos_token_id == end_of_turn_token(model.tokenizer)
    assert max(model.tokenizer(model.render(Prompt(tuple(ASKED)))).input_ids) < embeddings
    assert model.generate(prompts, Sampling(6, 0), 0) == answers, "what pads is masked"
    assert model.answer_losses([(one, "Blue.") for one in prompts]) == losses
    assert OwnVerdict(model).score([("Hi", "Blue."), ("Why?", "You are a worthless fool. " * 3)]) == verdicts
    chosen, rejected = ANSWERS
    sets: dict[str, list[Sample]] = {
        "sft": [Sample(id=str(n), kind="safe", prompt=ASKED, completion=ANSWERS[n]) for n in range(2)],
        "dpo": [Preference(id="a", kind="preference", prompt=ASKED, completion=chosen, rejected=rejected)] * 2,
    }
    sets["rlhf"] = sets["dpo"]
    if change is padding_behind_the_embeddings:
        sets = {"rlhf": sets["rlhf"]}  # the others read tokens that so_in_the_configuration_too has as well
    for kind, samples in sets.items():
        train = TrainSettings(max_steps=1, batch_size=2, target_modules=["q_proj"], rank=2)
        recipe = Recipe(str(directory), train, RlhfSettings(generations=2, max_new_tokens=4))
        recipe.check([TRAINERS[kind].check])
        assert fit(kind, samples, tmp_path / kind, recipe, "f")["steps"] == 1


def test_an_end_of_turn_without_an_embedding_is_refused(tmp_path: Path) -> None:
    directory = tiny_model(tmp_path / "model", tokenizer=tiny_tokenizer())
    tokenizer = AutoTokenizer.from_pretrained(directory)
    tokenizer.add_special_tokens({"eos_token": "[END]"})
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "[END]")
    tokenizer.save_pretrained(directory)
    with pytest.raises(ModelError, match=r"its chat template writes '\[END\]', of which the model has no embedding"):
        load_tokenizer(find_model(str(directory)))


def test_a_template_that_ends_no_turn_and_a_tokenizer_without_an_end_are_refused(tmp_path: Path) -> None:
    directory = tiny_model(tmp_path / "model", tokenizer=tiny_tokenizer())
    neither_end_nor_padding(directory)
    (directory / "chat_template.jinja").write_text("{% for one in messages %}{{ one.content }}\n{% endfor %}")
    with pytest.raises(ModelError, match="it cannot learn to stop"):
        load_tokenizer(find_model(str(directory)))
