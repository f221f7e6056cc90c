"""Losses on reference answers: rows without an answer are left out, the reminder is in what is scored."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.errors import ModelError
from amends.evaluation.reference import ReferenceTask, answered, reference_losses
from amends.models.base import Prompt
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.pipeline.driver import fill
from amends.prompts import UNGUIDED, english
from amends.records import Instruction, ReferenceLoss
from scripted_judge import HERE, artifact_in
from tiny import tiny_adapter, tiny_model

ROWS = [
    Instruction(id="a", prompt="First?", chosen="One two."),
    Instruction(id="b", prompt="Second?"),
    Instruction(id="c", prompt="Third?", chosen="Three."),
]


class ScriptedScorer(ScriptedModel):
    def __init__(self) -> None:
        super().__init__("scorer", lambda *_: "")
        self.seen: list[tuple[str, str]] = []

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
        self.seen += [(prompt.messages[-1].content, answer) for prompt, answer in pairs]
        return [(1.23456789, len(answer.split()) + 1) for _, answer in pairs]


def test_one_loss_for_each_row_with_an_answer() -> None:
    scorer = ScriptedScorer()
    assert list(reference_losses(ROWS, ReferenceTask(scorer, UNGUIDED))) == [
        ReferenceLoss(id="a", nats=1.2346, tokens=3),
        ReferenceLoss(id="c", nats=1.2346, tokens=2),
    ]
    assert scorer.seen == [("First?", "One two."), ("Third?", "Three.")]


def test_the_start_is_no_way_from_itself_and_others_are_read_beside_it(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "model")
    start, tuned = LocalModel(str(model)), LocalModel(str(model), tiny_adapter(tmp_path / "adapter", model))
    own = list(reference_losses(ROWS, ReferenceTask(start, UNGUIDED, start)))
    assert [row.divergence for row in own] == [0.0, 0.0]
    moved = list(reference_losses(ROWS, ReferenceTask(tuned, UNGUIDED, start)))
    assert [(row.id, row.tokens) for row in moved] == [(row.id, row.tokens) for row in own]
    assert all(row.divergence and row.divergence > 0.01 for row in moved)
    without = list(reference_losses(ROWS, ReferenceTask(tuned, UNGUIDED)))
    assert [row.nats for row in moved] == pytest.approx([row.nats for row in without], abs=1e-3)
    assert "divergence" not in without[0].model_dump_json()


def test_a_start_whose_probabilities_are_not_told_is_named(tmp_path: Path) -> None:
    tuned = LocalModel(str(tiny_model(tmp_path / "model")))
    with pytest.raises(ModelError, match="says no probabilities of tokens"):
        list(reference_losses(ROWS, ReferenceTask(tuned, UNGUIDED, EndpointModel("m", "http://h/v1"))))


def test_a_loss_that_is_no_number_is_an_error_and_no_row(tmp_path: Path) -> None:
    class Overflowing(ScriptedScorer):
        def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
            return [(float("nan"), 3) for _ in pairs]

    artifact = artifact_in(tmp_path)
    with pytest.raises(ModelError, match="row 'a': the model's loss on its reference answer is no number"):
        fill(artifact, answered(ROWS), ReferenceTask(Overflowing(), UNGUIDED).work(), HERE)
    assert artifact.part.read_text() == ""


def test_guided_losses_are_of_the_guided_prompt() -> None:
    scorer, reminder = ScriptedScorer(), english().guide("respond", "reminder")
    list(reference_losses(ROWS[:1], ReferenceTask(scorer, reminder)))
    assert scorer.seen == [(f"First?\n\n{reminder.suffix}", "One two.")]


def test_a_model_that_says_no_losses_is_named() -> None:
    with pytest.raises(ModelError, match=r"http://h/v1: model 'm' says no losses of given answers"):
        list(reference_losses(ROWS, ReferenceTask(EndpointModel("m", "http://h/v1"), UNGUIDED)))
