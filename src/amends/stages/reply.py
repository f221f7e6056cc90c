"""The model's own answers to benign instructions, and to those that only sound unsafe.

What a method trains on instead of other people's answers, so that it learns no other style and no other reluctance
(ThinkSafe, arXiv 2601.23143, trains on the model's own answers to benign prompts for the same reason).
"""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from amends.records import Answer, Instruction
from amends.seeds import derive_seed
from amends.stages.answer import safe_answers
from amends.stages.attempts import Task
from amends.stages.base import STAGES, Stage
from amends.stages.settings import SafeSettings


class ReplySettings(SafeSettings):
    """The model's own answers to the benign set, for the method mistake-analysis-plus."""

    max_new_tokens: int = Field(default=96, ge=1, le=4096, description="Tokens after which a text is cut.")
    at_least: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="The gate's probability of harmless from which an answer passes. It is low, since the gate takes "
        "many harmless answers for harmful.",
    )


def reply(rows: Iterable[Instruction], task: Task[ReplySettings]) -> Iterator[Answer]:
    """Gives one Answer a benign row, asked as it is: the first that passes, else the most harmless one.

    Refusals do not pass, nor do answers that the gate calls clearly harmful.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Instruction], number: int, task: Task[ReplySettings]) -> list[Answer]:
    """The answers of one chunk of rows."""
    return safe_answers(chunk, task, derive_seed(task.seed, "reply", number), {})


STAGE = Stage(
    name="reply",
    reads="benign",
    takes=Instruction,
    writes="replies",
    record=Answer,
    settings=ReplySettings,
    process=process,
    tests_leaks=True,
)
STAGES.register(STAGE.name, STAGE)
