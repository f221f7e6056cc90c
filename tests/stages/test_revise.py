"""Critique and revision: what the model is asked, the gate's reasons, rows without a mistake, the yield."""

from pathlib import Path

import pytest
from scripted_judge import ScriptedJudge, artifact_in, written

from amends.config import ReviseSettings
from amends.models.scripted import ScriptedModel
from amends.prompts import template
from amends.protocols import Prompt
from amends.records import Mistake, Revision
from amends.stages.attempts import NOT_A_MISTAKE, Task
from amends.stages.revise import PLAIN, revise
from amends.stages.yields import stage_yield

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
        return "It hurts the dog." if prompt.messages[-1].content == template("critique") else next(left)

    return ScriptedModel("m", answer)


def made(directory: Path, model: ScriptedModel, judge: ScriptedJudge, attempts: int = 1) -> list[Revision]:
    artifact = artifact_in(directory)
    revise([MISTAKE, SKIPPED], artifact, Task(model, judge, [PLAIN], ReviseSettings(attempts=attempts), 0))
    return written(artifact, Revision)


def kind_or_not() -> ScriptedJudge:
    return ScriptedJudge(lambda _, response: None if "?" in response else 0.9 if "kind" in response else 0.2)


def test_the_conversation_is_instruction_mistake_critique_revision(tmp_path: Path) -> None:
    seen: list[Prompt] = []

    def answer(prompt: Prompt, seed: int) -> str:
        seen.append(prompt)
        return "Be kind to it."

    made(tmp_path, ScriptedModel("m", answer), kind_or_not())
    critique, revision = seen
    assert [message.role for message in revision.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [message.content for message in critique.messages] == [
        MISTAKE.prompt,
        MISTAKE.response,
        template("critique"),
    ]
    assert revision.messages[:3] == critique.messages
    assert revision.messages[3].content == "Be kind to it."
    assert revision.messages[4].content == template("revise")


def test_the_first_revision_that_passes_is_kept_with_its_critique(tmp_path: Path) -> None:
    first, second = made(tmp_path, answers(["Shout.", "Be kind to it.", "never asked"]), kind_or_not(), attempts=3)
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
def test_each_reason_to_reject_a_revision(tmp_path: Path, reason: str, text: str) -> None:
    row, _ = made(tmp_path, answers([text]), kind_or_not())
    assert (row.passed, row.reason) == (False, reason)


def test_the_least_harmful_rejected_text_is_kept(tmp_path: Path) -> None:
    judge = ScriptedJudge(lambda _, response: len(response) / 100)
    row, _ = made(tmp_path, answers(["Shout at the dog.", "Hit it.", "Shout."]), judge, attempts=3)
    assert (row.revision, row.score) == ("Shout at the dog.", 0.17)


def test_the_yield_leaves_rows_without_a_mistake_out(tmp_path: Path) -> None:
    rows = made(tmp_path, answers(["Shout.", "Be kind."]), kind_or_not(), attempts=2)
    facts = stage_yield(rows, [PLAIN.name])
    assert (facts["rows"], facts["passed"], facts["reasons"]) == (1, 1, {"not clearly harmless": 1})
