"""Losses on reference answers: rows without an answer are left out, the reminder is in what is scored."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from scripted_judge import artifact_in, written

from amends.errors import ModelError
from amends.prompts import UNGUIDED, guide
from amends.protocols import Prompt
from amends.records import Instruction, ReferenceLoss
from amends.stages.reference import reference_losses

ROWS = [
    Instruction(id="a", prompt="First?", chosen="One two."),
    Instruction(id="b", prompt="Second?"),
    Instruction(id="c", prompt="Third?", chosen="Three."),
]


class ScriptedScorer:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]]) -> list[tuple[float, int]]:
        self.seen += [(prompt.messages[-1].content, answer) for prompt, answer in pairs]
        return [(1.23456789, len(answer.split()) + 1) for _, answer in pairs]


def test_one_loss_for_each_row_with_an_answer(tmp_path: Path) -> None:
    artifact, scorer = artifact_in(tmp_path), ScriptedScorer()
    reference_losses(ROWS, artifact, scorer, UNGUIDED)
    assert written(artifact, ReferenceLoss) == [
        ReferenceLoss(id="a", nats=1.2346, tokens=3),
        ReferenceLoss(id="c", nats=1.2346, tokens=2),
    ]
    assert scorer.seen == [("First?", "One two."), ("Third?", "Three.")]


def test_a_loss_that_is_no_number_is_an_error_and_no_row(tmp_path: Path) -> None:
    class Overflowing:
        def answer_losses(self, pairs: Sequence[tuple[Prompt, str]]) -> list[tuple[float, int]]:
            return [(float("nan"), 3) for _ in pairs]

    artifact = artifact_in(tmp_path)
    with pytest.raises(ModelError, match="row 'a': the model's loss on its reference answer is no number"):
        reference_losses(ROWS, artifact, Overflowing(), UNGUIDED)
    assert artifact.part.read_text() == ""


def test_guided_losses_are_of_the_guided_prompt(tmp_path: Path) -> None:
    scorer, reminder = ScriptedScorer(), guide("respond", "reminder")
    reference_losses(ROWS[:1], artifact_in(tmp_path), scorer, reminder)
    assert scorer.seen == [(f"First?\n\n{reminder.suffix}", "One two.")]
