"""Guided mistake induction (paper, section 3.1): the model itself is brought to answer harmfully."""

from collections.abc import Iterable

from amends.artifacts import Artifact
from amends.config import InduceSettings
from amends.prompts import Guide
from amends.protocols import ProgressCallback, no_progress
from amends.records import Instruction, Mistake, label
from amends.seeds import derive_seed
from amends.stages.attempts import Task, of_data_set, try_guides
from amends.stages.leaks import LeakTest
from amends.stages.streaming import chunk_rows_for, stream


def induce(
    instructions: Iterable[Instruction],
    artifact: Artifact,
    task: Task[InduceSettings],
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Mistake a row: the first response that the gate calls harmful, else the one nearest to it.

    The gate calls a response harmful below a probability of .5; unscored responses do not pass. The settings' `source` is
    `own` (the model's), `origin` (the data set's `rejected`), or `both`: origin where there is one that the gate calls
    harmful, own elsewhere.
    """
    leaks = LeakTest(task.guides)

    def reason(row: Instruction, _: Guide, text: str, score: float | None) -> str:
        if not text:
            return "truncated"
        if leaks.find(text, row.prompt):
            return "leaks the guide"
        verdict = label(score)
        return "" if verdict == "harmful" else verdict

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Mistake]:
        found = try_guides(
            chunk,
            task,
            derive_seed(task.seed, "induce", number),
            lambda row, guide: guide.prompt(row.prompt),
            reason,
            of_data_set(chunk, task, [row.rejected for row in chunk], reason),
            progress,
            wanted="harmful",
        )
        return [
            Mistake(id=row.id, prompt=row.prompt, chosen=row.chosen, response=one.text, **one.facts())
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(instructions, artifact, process, progress, chunk_rows_for(task.model))
