"""Utility that needs no judge: the loss of a system on reference answers to benign prompts."""

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

from amends.artifacts import Artifact
from amends.errors import ModelError
from amends.prompts import Guide
from amends.protocols import ProgressCallback, Prompt, no_progress
from amends.records import Instruction, ReferenceLoss
from amends.stages.streaming import chunk_rows_for, stream


class Scorer(Protocol):
    """A model that can say how likely it finds given answers."""

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]]) -> list[tuple[float, int]]:
        """Negative log-likelihood in nats, summed over an answer's tokens with its end of turn, and their number."""


def reference_losses(
    rows: Iterable[Instruction],
    artifact: Artifact,
    scorer: Scorer,
    guide: Guide,
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one ReferenceLoss for each row with a reference answer (`chosen`)."""

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[ReferenceLoss]:
        space = " " if guide.prefill else ""  # between the opening and the answer, as in training
        losses = scorer.answer_losses([(guide.prompt(row.prompt), f"{space}{row.chosen}") for row in chunk])
        for row, (nats, _) in zip(chunk, losses, strict=True):
            if not math.isfinite(nats):
                raise ModelError(
                    f"row {row.id!r}: the model's loss on its reference answer is no number; its weights are damaged, or "
                    "its precision overflows: train it again, at a lower learning rate"
                )
        progress(0, sum(tokens for _, tokens in losses))
        return [
            ReferenceLoss(id=row.id, nats=round(nats, 4), tokens=tokens)
            for row, (nats, tokens) in zip(chunk, losses, strict=True)
        ]

    stream((row for row in rows if row.chosen), artifact, process, progress, chunk_rows_for(scorer))
