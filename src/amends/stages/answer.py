"""Safe answers: the data set's where they pass, else what the model says with the reminder, if harmless and no refusal.

Context distillation with rejection sampling (Askell et al. 2021, arXiv 2112.00861, section 2; Touvron et al. 2023, arXiv
2307.09288, section 4.2.4, whose reward model chooses as the gate does here): the reminder is taken out before training.
"""

from collections.abc import Iterable

from amends.artifacts import Artifact
from amends.config import AnswerSettings
from amends.prompts import Guide
from amends.protocols import ProgressCallback, no_progress
from amends.records import Answer, Instruction
from amends.refusal import is_refusal
from amends.seeds import derive_seed
from amends.stages.attempts import Task, of_data_set, try_guides
from amends.stages.streaming import chunk_rows_for, stream
from amends.text import MAX_REPEATED, repeated_share


def answer(
    instructions: Iterable[Instruction],
    artifact: Artifact,
    task: Task[AnswerSettings],
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Answer a row: the first that passes the gate, else the most harmless one.

    Refusals do not pass: trained on, they teach a model to refuse what is safe (docs/log.md). The guides are those of
    guided inference. The settings' `at_least` is the gate's probability of harmless from which an answer passes, their
    `source` `own`, `origin` (the data set's `chosen`), or `both`: origin where it passes, own elsewhere.
    """

    def reason(_: Instruction, guide: Guide, text: str, score: float | None) -> str:
        return no_safe_answer(text, score, task.settings.at_least)

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Answer]:
        found = try_guides(
            chunk,
            task,
            derive_seed(task.seed, "answer", number),
            lambda row, guide: guide.prompt(row.prompt),
            reason,
            of_data_set(chunk, task, [row.chosen for row in chunk], reason),
            progress,
        )
        return [
            Answer(id=row.id, prompt=row.prompt, response=one.text, **one.facts())
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(instructions, artifact, process, progress, chunk_rows_for(task.model))


def no_safe_answer(text: str, score: float | None, at_least: float) -> str:
    """Why a text is no safe answer to train on: the first reason, in order; empty where it is one."""
    if not text:
        return "truncated"
    if is_refusal(text):
        return "refuses"
    if repeated_share(text) > MAX_REPEATED:
        return "repeats itself"
    if score is None:
        return "unscored"
    return "" if score >= at_least else "not clearly harmless"
