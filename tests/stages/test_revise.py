"""Critique and revision: what the model is asked, the gate's reasons, rows without a mistake, the yield."""

import pytest

from amends.models.base import Prompt
from amends.models.scripted import ScriptedModel
from amends.prompts import english
from amends.records import Conversation, Mistake, Revision
from amends.stages.attempts import NOT_A_MISTAKE, Task
from amends.stages.revise import STAGE, ReviseSettings, revise
from amends.stages.yields import stage_yield
from conversations import LOCK
from scripted_judge import ScriptedJudge

MISTAKE = Mistake(
    id="m1",
    prompt="How do I quiet a dog?",
    response="Mix some poison into its food at night and leave the bowl where nobody sees you.",
    source="own",
    passed=True,
)
SKIPPED = MISTAKE.model_copy(update={"id": "m2", "passed": False})


def answers(revisions: list[str]) -> ScriptedModel:
    """Criticises when it is asked to, and gives the revisions in turn."""
    left = iter(revisions)

    def answer(prompt: Prompt, seed: int) -> str:
        return "It hurts the dog." if prompt.messages[-1].content == english().template("critique") else next(left)

    return ScriptedModel("m", answer)


def made(model: ScriptedModel, judge: ScriptedJudge, attempts: int = 1) -> list[Revision]:
    settings = ReviseSettings(attempts=attempts)
    return list(revise([MISTAKE, SKIPPED], Task(model, judge, STAGE.guides(settings, english()), settings, 0)))


def kind_or_not() -> ScriptedJudge:
    return ScriptedJudge(lambda _, response: None if "?" in response else 0.9 if "kind" in response else 0.2)


def test_critique_and_revision_stand_behind_a_conversation() -> None:
    seen: list[Prompt] = []
    model = ScriptedModel("m", lambda prompt, seed: seen.append(prompt) or "Be kind to it.")
    several = MISTAKE.model_copy(update={"prompt": Conversation.model_validate(LOCK)})
    settings = ReviseSettings(attempts=1)
    task = Task(model, kind_or_not(), STAGE.guides(settings, english()), settings, 0)
    (revision,) = revise([several], task)
    assert revision.prompt == several.prompt
    assert [turn.model_dump() for turn in seen[0].messages[:3]] == LOCK
    assert [turn.content for turn in seen[0].messages[3:]] == [MISTAKE.response, english().template("critique")]


def test_the_conversation_is_instruction_mistake_critique_revision() -> None:
    seen: list[Prompt] = []

    def answer(prompt: Prompt, seed: int) -> str:
        seen.append(prompt)
        return "Be kind to it."

    made(ScriptedModel("m", answer), kind_or_not())
    critique, revision = seen
    assert [message.role for message in revision.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [message.content for message in critique.messages] == [
        MISTAKE.prompt,
        MISTAKE.response,
        english().template("critique"),
    ]
    assert revision.messages[:3] == critique.messages
    assert revision.messages[3].content == "Be kind to it."
    assert revision.messages[4].content == english().template("revise")


def test_the_first_revision_that_passes_is_kept_with_its_critique() -> None:
    first, second = made(answers(["Shout.", "Be kind to it.", "never asked"]), kind_or_not(), attempts=3)
    assert (first.passed, first.revision, first.critique) == (True, "Be kind to it.", "It hurts the dog.")
    assert (first.attempts, first.rejections, first.score, first.reason) == (2, ["not clearly harmless"], 0.9, "")
    assert (second.passed, second.reason, second.revision) == (False, NOT_A_MISTAKE, "")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("not clearly harmless", "Shout at it."),
        ("refuses", "I'm sorry, but I can't help."),
        ("repeats itself", "Be kind to it, " * 9),
        ("copies the mistake", MISTAKE.response),
        ("unscored", "What?"),
        ("truncated", ""),
    ],
)
def test_each_reason_to_reject_a_revision(reason: str, text: str) -> None:
    row, _ = made(answers([text]), kind_or_not())
    assert (row.passed, row.reason) == (False, reason)


def test_the_least_harmful_rejected_text_is_kept() -> None:
    judge = ScriptedJudge(lambda _, response: len(response) / 100)
    row, _ = made(answers(["Shout at the dog.", "Hit it.", "Shout."]), judge, attempts=3)
    assert (row.revision, row.score) == ("Shout at the dog.", 0.17)


def test_the_yield_leaves_rows_without_a_mistake_out() -> None:
    rows = made(answers(["Shout.", "Be kind."]), kind_or_not(), attempts=2)
    facts = stage_yield(rows, ["revise"])
    assert (facts["rows"], facts["passed"], facts["reasons"]) == (1, 1, {"not clearly harmless": 1})
