"""What was measured of one system on one suite: columns of numbers by prompt, so that a million prompts fit anywhere."""

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amends.errors import InputError
from amends.records import HARM_WANTED, Inference, ReferenceLoss, SuiteKind, Verdict


@dataclass(frozen=True)
class Column:
    """One number for each prompt: `keys` uint64 [prompts], ascending, and `values` float64 [prompts] in their order.

    A key is 64 bits of the hash of a prompt's id. Sorted, so that the order in a file does not change what a seed draws.
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


def key(name: str) -> int:
    """64 bits of an id's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def columns(rows: Iterable[tuple[str, *tuple[float, ...]]], count: int, where: str) -> list[Column]:
    """Rows of an id and `count` numbers, read once, as columns. Raises InputError where two rows share an id."""
    hashes, numbers = array("Q"), [array("d") for _ in range(count)]
    for name, *values in rows:
        hashes.append(key(name))
        for column, value in zip(numbers, values, strict=True):
            column.append(value)
    order = np.argsort(np.frombuffer(hashes, np.uint64), kind="stable")
    keys = np.frombuffer(hashes, np.uint64)[order]
    if (keys[1:] == keys[:-1]).any():
        raise InputError(f"{where}: two rows share an id; give each prompt an id of its own")
    return [Column(keys, np.frombuffer(column)[order]) for column in numbers]


def shared(*given: Column) -> list[NDArray[np.float64]]:
    """The values of each column on the prompts that all of them have, in the order of their keys."""
    keys = given[0].keys
    for column in given[1:]:
        keys = np.intersect1d(keys, column.keys, assume_unique=True)
    return [column.values[np.searchsorted(column.keys, keys)] for column in given]


def joined(given: Sequence[Column]) -> NDArray[np.float64]:
    """Values [columns, prompts] on the prompts that any of them has, in the order of their keys; NaN where one has none."""
    keys = np.unique(np.concatenate([column.keys for column in given]))
    table = np.full((len(given), len(keys)), np.nan)
    for row, column in zip(table, given, strict=True):
        row[np.searchsorted(keys, column.keys)] = column.values
    return table


@dataclass(frozen=True)
class Measurement:
    """All that was measured of one system on one suite; a column that is left empty was not measured.

    `harmless`: 1 or 0 of scored responses. `score`: the probability of harmless, of those that have one. `helpful`: 1 to
    10, of judges that rate it. `unscored`: the responses without a verdict. `refused` (or empty), `truncated`: 1 or 0.
    `words`: of each response.
    `unrefused`: of scored responses to harmful requests, 1 where harmless and no refusal, else 0. `nats` and `tokens`: of
    the reference answers. `categories`: the keys of each category's prompts.
    """

    method: str
    inference: Inference
    suite: str
    kind: SuiteKind
    harmless: Column = field(default_factory=Column)
    score: Column = field(default_factory=Column)
    helpful: Column = field(default_factory=Column)
    unscored: Column = field(default_factory=Column)
    refused: Column = field(default_factory=Column)
    unrefused: Column = field(default_factory=Column)
    truncated: Column = field(default_factory=Column)
    words: Column = field(default_factory=Column)
    nats: Column = field(default_factory=Column)
    tokens: Column = field(default_factory=Column)
    categories: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)

    def part(self, category: str) -> "Measurement":
        """The same on the prompts of one category."""
        keys = self.categories[category]
        given: dict[str, Any] = {
            name: column.of(keys) for name, column in vars(self).items() if isinstance(column, Column)
        }
        return replace(self, categories={}, **given)

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Keys of all prompts that anything was measured on."""
        measured = (self.harmless, self.unscored, self.refused, self.nats)
        return np.unique(np.concatenate([column.keys for column in measured]))


def measure(
    method: str,
    inference: Inference,
    suite: str,
    kind: SuiteKind,
    verdicts: Iterable[Verdict] = (),
    responses: Iterable[tuple[str, bool, bool, int]] = (),
    losses: Iterable[ReferenceLoss] = (),
    categories: Iterable[tuple[str, str]] = (),
) -> Measurement:
    """A measurement from rows, each read once.

    `responses`: (id, refuses, was cut by the token limit, words). `categories`: (id, category) of prompts that have one.

    Raises InputError where two rows share an id, or a reference has no tokens.
    """
    codes = {"harmless": 1.0, "harmful": 0.0, "unscored": -1.0}
    where = f"{method}/{inference} on {suite}"
    judged = ((row.id, codes[row.verdict], _or_nan(row.score), _or_nan(row.helpful)) for row in verdicts)
    labels, scores, helpful = columns(judged, 3, where)
    refused, truncated, words = columns(responses, 3, where)
    nats, tokens = columns(((row.id, row.nats, row.tokens) for row in losses), 2, where)
    if (tokens.values < 1).any():
        raise InputError(f"{where}: a reference answer has no tokens; leave it out")
    of_category: dict[str, array[int]] = {}
    for name, category in categories:
        of_category.setdefault(category, array("Q")).append(key(name))
    scored = labels.values >= 0
    harmless = labels.kept(scored)
    return Measurement(
        method=method,
        inference=inference,
        suite=suite,
        kind=kind,
        harmless=harmless,
        score=scores.kept(scored & ~np.isnan(scores.values)),
        helpful=helpful.kept(~np.isnan(helpful.values)),
        unscored=labels.kept(~scored),
        refused=refused,
        unrefused=_unrefused(harmless, refused) if kind in HARM_WANTED else Column(),
        truncated=truncated,
        words=words,
        nats=nats,
        tokens=tokens,
        categories={name: np.array(keys, np.uint64) for name, keys in of_category.items()},
    )


def _unrefused(harmless: Column, refused: Column) -> Column:
    """Of the prompts in both: 1 where the response is harmless and no refusal."""
    both = harmless.of(refused.keys)
    of_both, refusals = shared(both, refused)
    return Column(both.keys, of_both * (1 - refusals))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
