"""Numbers by answer and by prompt, as columns, so that a million fit."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from amends.errors import InputError

DRAW_STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no two draws of a prompt share an identity


@dataclass(frozen=True)
class Column:
    """One number for each prompt: `keys` uint64 [prompts], ascending, and `values` float64 [prompts] in their order.

    A key is 64 bits of the hash of a prompt's id. Sorted, so that the order in a file does not change what a seed
    draws.
    """

    keys: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.keys)

    def of(self, keys: NDArray[np.uint64]) -> "Column":
        """The prompts among `keys`."""
        return self.kept(np.isin(self.keys, keys))

    def kept(self, where: NDArray[np.bool_]) -> "Column":
        """The prompts that a mask [prompts] keeps."""
        return Column(self.keys[where], self.values[where])


@dataclass(frozen=True)
class Answers:
    """Numbers of each answer, of which a prompt may have several: its draws.

    Attributes:
        keys: uint64 [answers], of their prompts, ascending.
        draws: uint64 [answers], which answer to its prompt each is, from 0.
        numbers: float64 [numbers, answers].
    """

    keys: NDArray[np.uint64]
    draws: NDArray[np.uint64]
    numbers: NDArray[np.float64]

    @cached_property
    def identities(self) -> NDArray[np.uint64]:
        """One number for each answer [answers], by which two files of the same answers are joined."""
        return self.keys + self.draws * DRAW_STEP

    def averaged(self, values: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> Column:
        """The mean of `values` [answers] over each prompt's answers, of those that a mask [answers] keeps."""
        total, count = self.summed(values, where), self.summed(np.ones(len(self.keys)), where)
        return Column(total.keys, total.values / count.values)

    def summed(self, values: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> Column:
        """The sum of `values` [answers] over each prompt's answers, of those that a mask [answers] keeps."""
        kept = np.ones(len(self.keys), bool) if where is None else where
        keys, places = np.unique(self.keys[kept], return_inverse=True)
        return Column(keys, np.bincount(places, values[kept], len(keys)).astype(np.float64))

    def beside(self, other: "Answers") -> tuple["Answers", NDArray[np.float64]]:
        """The answers that are in both, and the other's numbers of them."""
        _, own, theirs = np.intersect1d(self.identities, other.identities, assume_unique=True, return_indices=True)
        return Answers(self.keys[own], self.draws[own], self.numbers[:, own]), other.numbers[:, theirs]


def key(name: str) -> int:
    """64 bits of an id's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def answers(rows: Iterable[tuple[str, int, *tuple[float, ...]]], count: int, where: str) -> Answers:
    """Rows of an id, a draw and `count` numbers, read once. Raises InputError where one draw of an id comes twice."""
    hashes, draws, numbers = array("Q"), array("Q"), [array("d") for _ in range(count)]
    for name, draw, *values in rows:
        hashes.append(key(name))
        draws.append(draw)
        for column, value in zip(numbers, values, strict=True):
            column.append(value)
    of_prompt, of_draw = np.frombuffer(hashes, np.uint64), np.frombuffer(draws, np.uint64)
    order = np.lexsort((of_draw, of_prompt))
    of_prompt, of_draw = of_prompt[order], of_draw[order]
    if ((of_prompt[1:] == of_prompt[:-1]) & (of_draw[1:] == of_draw[:-1])).any():
        raise InputError(f"{where}: two rows share an id; give each prompt an id of its own, and each draw its number")
    return Answers(of_prompt, of_draw, np.stack([np.frombuffer(column)[order] for column in numbers]))


def columns(rows: Iterable[tuple[str, *tuple[float, ...]]], count: int, where: str) -> list[Column]:
    """Rows of an id and `count` numbers, read once, as columns. Raises InputError where two rows share an id."""
    read = answers(((name, 0, *values) for name, *values in rows), count, where)
    return [Column(read.keys, one) for one in read.numbers]


def shared(*given: Column) -> list[NDArray[np.float64]]:
    """The values of each column on the prompts that all of them have, in the order of their keys."""
    keys = given[0].keys
    for column in given[1:]:
        keys = np.intersect1d(keys, column.keys, assume_unique=True)
    return [column.values[np.searchsorted(column.keys, keys)] for column in given]


def joined(given: Sequence[Column]) -> NDArray[np.float64]:
    """Values [columns, prompts] on the prompts that any of them has, in the order of keys; NaN where one has none."""
    keys = np.unique(np.concatenate([column.keys for column in given]))
    table = np.full((len(given), len(keys)), np.nan)
    for row, column in zip(table, given, strict=True):
        row[np.searchsorted(keys, column.keys)] = column.values
    return table
