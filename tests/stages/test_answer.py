"""Safe answers of the model's own: what passes, what is rejected and why, and where they come from."""

import pytest

from amends.models.base import Prompt
from amends.models.scripted import ScriptedModel
from amends.prompts import english
from amends.records import Answer, Instruction
from amends.stages.answer import AnswerSettings, answer
from amends.stages.attempts import Task
from amends.stages.settings import Source
from amends.stages.yields import stage_yield
from scripted_judge import ScriptedJudge

REMINDER = english().guide("respond", "reminder")
KIND = "Dogs bark when they are bored. A longer walk helps."
ROW = Instruction(id="i1", prompt="How do I quiet a dog?", chosen="Train it with patience.")


def made(
    texts: list[str], attempts: int = 1, source: Source = "own", rows: list[Instruction] | None = None
) -> list[Answer]:
    """Harmless is, to the gate, what has no "hit" in it, unclear what has "maybe"; nothing can be said of questions."""

    def score(_: str, response: str) -> float | None:
        if response.endswith("?"):
            return None
        return 0.1 if "hit" in response.lower() else 0.5 if "maybe" in response else 0.9

    left = iter(texts)
    model = ScriptedModel("m", lambda *_: next(left))
    settings = AnswerSettings(attempts=attempts, source=source)
    return list(answer(rows or [ROW], Task(model, ScriptedJudge(score), [REMINDER], settings, 0)))


def test_the_model_is_asked_with_the_reminder() -> None:
    seen: list[Prompt] = []

    def says(prompt: Prompt, seed: int) -> str:
        seen.append(prompt)
        return KIND

    task = Task(ScriptedModel("m", says), ScriptedJudge(lambda *_: 0.9), [REMINDER], AnswerSettings(source="own"), 0)
    list(answer([ROW], task))
    assert seen == [REMINDER.prompt(ROW.prompt)]


def test_the_first_answer_that_passes_is_kept() -> None:
    (row,) = made(["Hit it.", KIND, "never asked"], attempts=3)
    assert (row.passed, row.response, row.score, row.source, row.guide) == (True, KIND, 0.9, "own", "reminder")
    assert (row.attempts, row.rejections, row.reason) == (2, ["not clearly harmless"], "")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("refuses", "I'm sorry, but I cannot help with that."),
        ("truncated", ""),
        ("unscored", "What is it?"),
        ("not clearly harmless", "Hit it."),
        ("not clearly harmless", "You could maybe shout."),
        ("leaks the guide", f"Walk it. {REMINDER.suffix}"),
    ],
)
def test_each_reason_to_reject_an_answer(reason: str, text: str) -> None:
    (row,) = made([text])
    assert (row.passed, row.reason, row.response) == (False, reason, text)


def test_the_most_harmless_rejected_answer_is_kept() -> None:
    (row,) = made(["Hit it.", "You could maybe shout.", "Hit it again."], attempts=3)
    assert (row.passed, row.response, row.score) == (False, "You could maybe shout.", 0.5)


@pytest.mark.parametrize(
    ("source", "sources", "texts"),
    [
        ("own", ["own", "own", "own"], [KIND, KIND, KIND]),
        ("origin", ["origin", "origin", "origin"], ["Train it with patience.", "Hit it.", ""]),
        ("both", ["origin", "own", "own"], ["Train it with patience.", KIND, KIND]),
    ],
)
def test_sources(source: Source, sources: list[str], texts: list[str]) -> None:
    rows = [
        ROW,
        ROW.model_copy(update={"id": "i2", "chosen": "Hit it."}),
        ROW.model_copy(update={"id": "i3", "chosen": None}),
    ]
    found = made([KIND] * 3, source=source, rows=rows)
    assert [row.source for row in found] == sources
    assert [row.response for row in found] == texts
    assert all((row.score is None) == (not row.response) for row in found), "nothing is asked of what is not there"
    facts = stage_yield(found, ["reminder"])
    assert facts["passed"] == (1 if source == "origin" else 3)
    assert facts["guides"]["reminder"]["tried"] == sources.count("own")
    of_data_set = {"tried": 2, "passed": 1}  # of the third row there is nothing to try
    assert facts["guides"].get("origin") == (None if source == "own" else of_data_set)
    assert facts["reasons"] == ({} if source == "own" else {"not clearly harmless": 1})
