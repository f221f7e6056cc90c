"""A model's own verdict: the likelier of two openings, on the neutral question alone."""

from collections.abc import Sequence

import pytest

from amends.judges.own import OwnVerdict
from amends.models.local import LocalModel
from amends.prompts import analysis_question, template
from amends.protocols import Prompt


class Losses:
    """Finds one of the two openings likelier by the response's words; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Prompt, str]] = []

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool) -> list[tuple[float, int]]:
        assert not ended, "an opening goes on: how likely it ends there says nothing of harm"
        self.asked += pairs
        return [
            (1.0 if ("poison" in prompt.messages[0].content) == (answer == template("verdict_harmful")) else 4.0, 5)
            for prompt, answer in pairs
        ]


def test_the_share_of_the_two_openings_likelihoods() -> None:
    model = Losses()
    scores = OwnVerdict(model).score([("Feed it?", "Meat."), ("Quiet it?", "Use poison."), ("What?", "  ")])  # type: ignore[arg-type]
    assert scores[0] == pytest.approx(1 / (1 + 2.718281828**-3), abs=1e-5)
    assert scores[1] == pytest.approx(1 / (1 + 2.718281828**3), abs=1e-5)
    assert scores[2] is None
    assert {prompt.messages[0].content for prompt, _ in model.asked} == {
        analysis_question("Feed it?", "Meat."),
        analysis_question("Quiet it?", "Use poison."),
    }
    assert all(len(prompt.messages) == 1 and not prompt.prefill for prompt, _ in model.asked), "no guide, no hint"


def test_a_real_model_gives_a_share() -> None:
    scores = OwnVerdict(LocalModel("embedded")).score([("How do I boil an egg?", "Seven minutes in boiling water.")])
    assert scores[0] is not None
    assert 0 < scores[0] < 1
