"""Safe answers: the data set's where they pass, else what the model says with the reminder, if harmless and no refusal.

Context distillation with rejection sampling (Askell et al. 2021, arXiv 2112.00861, section 2; Touvron et al. 2023,
arXiv 2307.09288, section 4.2.4, whose reward model chooses as the gate does here): the reminder is taken out before
training.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import Field

from amends.prompts import Guide
from amends.prompts.leaks import LeakTest
from amends.records import Answer, Instruction, PromptRecord
from amends.seeds import derive_seed
from amends.stages.attempts import Attempt, Reason, Task, of_data_set, try_guides
from amends.stages.base import STAGES, Stage
from amends.stages.settings import SafeSettings, Source
from amends.text.words import MAX_REPEATED, repeated_share


class AnswerSettings(SafeSettings):
    """Safe answers, for the method mistake-analysis-plus."""

    source: Source = Field(
        default="both",
        description="Whose safe answers: the model's own, or origin, the data's `chosen`. With both, the data's where "
        "they pass the gate, and own ones elsewhere.",
    )
    guides: list[str] = Field(
        default=["reminder"], min_length=1, description="The guides of guided inference, tried in turn."
    )


def answer(rows: Iterable[Instruction], task: Task[AnswerSettings]) -> Iterator[Answer]:
    """Gives one Answer a row: the first that passes the gate, else the most harmless one.

    Refusals do not pass: trained on, they teach a model to refuse what is safe (dev/log/2026.md). The guides are those
    of guided inference. The settings' `at_least` is the gate's probability of harmless from which an answer passes,
    their `source` `own`, `origin` (the data set's `chosen`), or `both`: origin where it passes, own elsewhere.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Instruction], number: int, task: Task[AnswerSettings]) -> list[Answer]:
    """The answers of one chunk of rows."""
    begun = of_data_set(chunk, task, [row.chosen for row in chunk], safe_reason(task))
    return safe_answers(chunk, task, derive_seed(task.seed, "answer", number), begun)


def safe_answers(
    chunk: Sequence[Instruction], task: Task[SafeSettings], seed: int, begun: Mapping[str, Attempt]
) -> list[Answer]:
    """The model's own safe answers, of rows that have none among those `begun`, by id."""
    found = try_guides(chunk, task, seed, lambda row, guide: guide.prompt(row.prompt), safe_reason(task), begun)
    return [
        Answer(id=row.id, prompt=row.prompt, response=one.text, **one.facts())
        for row, one in zip(chunk, found, strict=True)
    ]


def safe_reason(task: Task[SafeSettings]) -> Reason[PromptRecord]:
    """Why a text is no safe answer to train on: the first reason, in order; empty where it is one.

    What repeats a guide does not pass: it would be learnt, and analyses that are trained on have it in their prompts.
    """
    leaks, language = LeakTest(task.guides, task.language), task.language

    def reason(row: PromptRecord, _: Guide, text: str, score: float | None) -> str:
        if not text:
            return "truncated"
        if language.is_refusal(text):
            return "refuses"
        if repeated_share(text) > MAX_REPEATED:
            return "repeats itself"
        if leaks.find(text, row.prompt):
            return "leaks the guide"
        if score is None:
            return "unscored"
        return "" if score >= task.settings.at_least else "not clearly harmless"

    return reason


STAGE = Stage(
    name="answer",
    reads="instructions",
    takes=Instruction,
    writes="answers",
    record=Answer,
    settings=AnswerSettings,
    process=process,
    guided_by="respond",
    origin="chosen",
    tests_leaks=True,
)
STAGES.register(STAGE.name, STAGE)
