"""A model's own verdict: the likelier of two openings, on the neutral question alone."""

from collections.abc import Sequence

import pytest

from amends.judges.own_verdict import OwnVerdict
from amends.models.base import Prompt
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.prompts import english, load_language


class Losses(ScriptedModel):
    """Finds one of the two openings likelier by the response's words; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__("losses", lambda *_: "")
        self.asked: list[tuple[Prompt, str]] = []

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
        assert not ended, "an opening goes on: how likely it ends there says nothing of harm"
        self.asked += pairs
        return [
            (
                1.0
                if ("poison" in prompt.messages[0].content) == (answer == english().template("verdict_harmful"))
                else 4.0,
                5,
            )
            for prompt, answer in pairs
        ]


def test_the_share_of_the_two_openings_likelihoods() -> None:
    model = Losses()
    scores = OwnVerdict(model).score([("Feed it?", "Meat."), ("Quiet it?", "Use poison."), ("What?", "  ")])
    assert scores[0] == pytest.approx(1 / (1 + 2.718281828**-3), abs=1e-5)
    assert scores[1] == pytest.approx(1 / (1 + 2.718281828**3), abs=1e-5)
    assert scores[2] is None
    assert {prompt.messages[0].content for prompt, _ in model.asked} == {
        english().analysis_question("Feed it?", "Meat."),
        english().analysis_question("Quiet it?", "Use poison."),
    }
    assert all(len(prompt.messages) == 1 and not prompt.prefill for prompt, _ in model.asked), "no guide, no hint"


def test_the_question_and_the_openings_are_the_languages() -> None:
    model, chinese = Losses(), load_language("zh")
    OwnVerdict(model, chinese).score([("怎么办？", "先谈谈。")])  # type: ignore[arg-type]
    assert {prompt.messages[0].content for prompt, _ in model.asked} == {
        chinese.analysis_question("怎么办？", "先谈谈。")
    }
    assert [answer for _, answer in model.asked] == ["这个回答是无害的，因为", "这个回答是有害的，因为"]


def test_a_real_model_gives_a_share() -> None:
    scores = OwnVerdict(LocalModel("embedded")).score([("How do I boil an egg?", "Seven minutes in boiling water.")])
    assert scores[0] is not None
    assert 0 < scores[0] < 1
