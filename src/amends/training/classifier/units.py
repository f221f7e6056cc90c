"""What an optimizer step is made of: answers and pairs of answers, in pieces that fit a token budget."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amends.judges.probe_training import Labelled, row_weights
from amends.models.decoding.batches import right_padded
from amends.records import UserPrompt

Encode = Callable[[UserPrompt, str], tuple[list[int], int]]
"""Token ids of prompt and response in the chat template, and where the response begins."""


@dataclass(frozen=True)
class Read:
    """One answer as the model reads it.

    Attributes:
        ids: tokens of the conversation.
        start: where the response begins.
        label: 1 for harmless.
        weight: of its cross-entropy; 0 where only the order within its pair is known.
    """

    ids: list[int]
    start: int
    label: int
    weight: float


Unit = tuple[Read, ...]
"""One answer, or a harmless and a harmful answer to one prompt, in this order."""


def weights_of(rows: Sequence[Labelled]) -> np.ndarray:
    """Weights [rows] of the cross-entropy: sources with both labels weigh alike, and so do both labels in them.

    A row of a source with one label alone weighs 1: its few rows would else weigh as much as a whole source.
    """
    labels: dict[str, set[int]] = {}
    for row in rows:
        labels.setdefault(row.source, set()).add(row.label)
    both = np.array([len(labels[row.source]) == 2 for row in rows], dtype=bool)
    weights = np.ones(len(rows))
    if both.any():
        weights[both] = row_weights([row for row, has in zip(rows, both, strict=True) if has])
    return weights


def make_units(rows: Sequence[Labelled], preferences: Sequence[Labelled], encode: Encode) -> list[Unit]:
    """Units of labelled rows, and of preferences, whose labels say which of two answers is the better one alone."""
    read = [
        (row, Read(*encode(row.prompt, row.response), row.label, float(weight)))
        for row, weight in [
            *zip(rows, weights_of(rows), strict=True),
            *((row, 0.0) for row in preferences),
        ]
        if row.response.strip()
    ]
    prompts: dict[tuple[str, str], tuple[list[Read], list[Read]]] = {}
    for row, one in read:
        prompts.setdefault((row.source, str(row.prompt)), ([], []))[one.label].append(one)
    units: list[Unit] = []
    for harmful, harmless in prompts.values():
        both = min(len(harmful), len(harmless))
        units += zip(harmless[:both], harmful[:both], strict=True)
        units += [(one,) for one in (*harmful[both:], *harmless[both:]) if one.weight]
    return units


def pieces(units: Sequence[Unit], token_budget: int) -> Iterator[list[Unit]]:
    """The units in pieces of similar length: at most `token_budget` padded tokens each, but never less than a unit."""
    piece: list[Unit] = []
    rows = 0
    longest = 0
    for unit in sorted(units, key=lambda unit: -_longest(unit)):
        longest = longest or _longest(unit)
        if piece and (rows + len(unit)) * longest > token_budget:
            yield piece
            piece, rows, longest = [], 0, _longest(unit)
        piece.append(unit)
        rows += len(unit)
    if piece:
        yield piece


def tensors_of(units: Sequence[Unit], device: Any) -> dict[str, Any]:
    """Ids and mask [rows, tokens] of the units' answers, and `pooled` [rows, tokens], which averages each response."""
    import torch

    rows = [one for unit in units for one in unit]
    ids, mask = right_padded([one.ids for one in rows], 0)
    pooled = mask.float()
    for number, one in enumerate(rows):
        pooled[number, : one.start] = 0
    pooled = pooled / pooled.sum(1, keepdim=True)
    given: dict[str, torch.Tensor] = {"input_ids": ids, "attention_mask": mask, "pooled": pooled}
    return {name: one.to(device) for name, one in given.items()}


def _longest(unit: Unit) -> int:
    return max(len(one.ids) for one in unit)
