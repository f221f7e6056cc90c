"""The meter of a training counts the tokens that were read, and its output names the model that it was given."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer as TransformersTrainer

from amends.records import Message, Preference, Sample
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers.rlhf import RlhfSettings
from tiny import tiny_adapter, tiny_model

ASKED = [Message(role="user", content="Name a colour.")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


def samples(kind: str) -> list[Sample]:
    """Each longer than the one before."""
    said = [[Message(role="assistant", content="Blue. " * number)] for number in range(1, 8)]
    if kind == "sft":
        return [Sample(id=str(n), kind="safe", prompt=ASKED, completion=one) for n, one in enumerate(said)]
    return [
        Preference(id=str(n), kind="preference", prompt=ASKED, completion=one, rejected=said[0])
        for n, one in enumerate(said)
    ]


@pytest.mark.parametrize("kind", ["sft", "dpo", "rlhf"])
def test_the_meter_counts_what_was_read(
    kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    reported: list[int] = []
    step = TransformersTrainer.training_step

    def counted(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        if "attention_mask" in inputs:  # on-policy it is made of prompts and what was generated
            read.append(int(inputs["attention_mask"].sum()))
        return step(self, model, inputs, *rest, **named)

    monkeypatch.setattr(TransformersTrainer, "training_step", counted)
    train = TrainSettings(max_steps=2, batch_size=2, target_modules=["q_proj"], rank=2)
    recipe = Recipe(str(model), train, RlhfSettings(generations=2, max_new_tokens=4, reward_epochs=0.5))
    facts = fit(kind, samples(kind), tmp_path / "out", recipe, "f", lambda _, tokens: reported.append(tokens))
    trained = facts["trained_tokens"]
    assert 0 < trained < facts["tokens_per_epoch"], "two steps of four"
    if kind == "rlhf":  # of the reward model, too
        assert sum(reported) == sum(read[:2]) + trained
    else:
        assert trained == sum(read) == sum(reported)


def test_a_training_that_goes_on_names_the_model_it_was_given(model: Path, tmp_path: Path) -> None:
    """And PEFT asks no hub for the configuration of another name."""
    start = tiny_adapter(tmp_path / "start", model, "somebody/else")
    recipe = Recipe(str(model), TrainSettings(max_steps=1, batch_size=2), start=start)
    fit("sft", samples("sft"), tmp_path / "out", recipe, "f")
    written = json.loads((tmp_path / "out/adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == str(model)
