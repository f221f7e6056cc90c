"""Utility that needs no judge: a system's loss, and its divergence from its start, on answers to benign prompts."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from amends.errors import ModelError
from amends.models.base import AnswerLoss, Model, Prompt
from amends.progress import report
from amends.prompts import Guide
from amends.records import Instruction, ReferenceLoss
from amends.stages.chunks import Work, chunk_rows_for, of_kind
from amends.text.words import gap_after


@dataclass(frozen=True)
class ReferenceTask:
    """What losses are of: a system, what stands around its prompts, and the model that its training began from.

    Without a start no divergence is measured. That of the start itself is 0.
    """

    model: Model
    guide: Guide
    start: Model | None = None

    def work(self) -> Work[Instruction, ReferenceLoss]:
        """What is done to each chunk of rows that have an answer."""
        return Work(process, self, chunk_rows_for(self.model))


def reference_losses(rows: Iterable[Instruction], task: ReferenceTask) -> Iterator[ReferenceLoss]:
    """Gives one ReferenceLoss for each row with a reference answer (`chosen`).

    Raises:
        InputError: a row of another stage.
        ModelError: a loss that is no number.
    """
    return task.work().over(answered(of_kind("reference_losses", rows, Instruction)))


def answered(rows: Iterable[Instruction]) -> Iterator[Instruction]:
    """The rows that have a reference answer."""
    return (row for row in rows if row.chosen)


def process(chunk: Sequence[Instruction], number: int, task: ReferenceTask) -> list[ReferenceLoss]:
    """The losses of one chunk of rows."""
    guide = task.guide
    space = gap_after(guide.prefill) if guide.prefill else ""  # between the opening and the answer, as in training
    found = _losses([(guide.prompt(row.prompt), f"{space}{row.chosen}") for row in chunk], task)
    for row, (nats, _, divergence) in zip(chunk, found, strict=True):
        if not math.isfinite(nats + (divergence or 0.0)):
            raise ModelError(
                f"row {row.id!r}: the model's loss on its reference answer is no number; its weights are damaged, or "
                "its precision overflows: train it again, at a lower learning rate"
            )
    report(tokens=sum(one.tokens for one in found))
    return [
        ReferenceLoss(
            id=row.id,
            nats=round(nats, 4),
            tokens=tokens,
            divergence=None if divergence is None else round(divergence, 4),
        )
        for row, (nats, tokens, divergence) in zip(chunk, found, strict=True)
    ]


def _losses(pairs: Sequence[tuple[Prompt, str]], task: ReferenceTask) -> list[AnswerLoss]:
    """Of answers to prompts; the start reads them only where it is another model."""
    if task.start and task.start is not task.model:
        return task.model.answer_divergences(pairs, task.start)
    of_itself = 0.0 if task.start else None
    return [AnswerLoss(nats, tokens, of_itself) for nats, tokens in task.model.answer_losses(pairs)]
