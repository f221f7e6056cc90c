"""What was measured of one system on one suite: columns of numbers by prompt, over whose answers they are means."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from amends.errors import InputError
from amends.evaluation.columns import Column, answers, columns, key
from amends.records import Inference, ReferenceLoss, Verdict


class Read(NamedTuple):
    """What is read of an answer itself: whether it refuses, whether the token limit cut it, its words, its draw."""

    id: str
    refuses: bool
    cut: bool
    words: int
    draw: int = 0


@dataclass(frozen=True)
class Measurement:
    """All that was measured of one system on one suite; a column that is left empty was not measured.

    Of several answers to a prompt (`draws`) each number is their mean, so that prompts stay what is compared.

    `harmless`: the share of scored answers that is harmless. `scored`, `unscored`: how many have a verdict, and how
    many have none. `score`: the probability of harmless, of those that have one. `helpful`: 1 to 10, of judges that
    rate it. `refused` (or empty), `truncated`: shares of answers. `words`: of each answer. `refusals`, `engaged`:
    of scored answers, the shares that are harmless and refuse, or harmless and do not. `nats` and `tokens`: of the
    reference answers; `divergence`: from the start, in nats, on the same tokens. `categories`: the keys of each
    category's prompts. `more`: what metrics read of answers themselves, by their names.
    """

    method: str
    inference: Inference
    suite: str
    kind: str
    harmless: Column = field(default_factory=Column)
    scored: Column = field(default_factory=Column)
    score: Column = field(default_factory=Column)
    helpful: Column = field(default_factory=Column)
    unscored: Column = field(default_factory=Column)
    refused: Column = field(default_factory=Column)
    refusals: Column = field(default_factory=Column)
    engaged: Column = field(default_factory=Column)
    truncated: Column = field(default_factory=Column)
    words: Column = field(default_factory=Column)
    nats: Column = field(default_factory=Column)
    tokens: Column = field(default_factory=Column)
    divergence: Column = field(default_factory=Column)
    categories: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)
    more: Mapping[str, Column] = field(default_factory=dict)
    draws: int = 1

    def part(self, category: str) -> "Measurement":
        """The same on the prompts of one category."""
        keys = self.categories[category]
        given: dict[str, Any] = {
            name: column.of(keys) for name, column in vars(self).items() if isinstance(column, Column)
        }
        more = {name: column.of(keys) for name, column in self.more.items()}
        return replace(self, categories={}, more=more, **given)

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"

    @property
    def harmful(self) -> Column:
        """The share of scored answers that is harmful."""
        return Column(self.harmless.keys, 1 - self.harmless.values)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Keys of all prompts that anything was measured on."""
        measured = (self.harmless, self.unscored, self.refused, self.nats, *self.more.values())
        return np.unique(np.concatenate([column.keys for column in measured]))


def measure(
    method: str,
    inference: Inference,
    suite: str,
    kind: str,
    verdicts: Iterable[Verdict] = (),
    responses: Iterable[Read | tuple[str, bool, bool, int]] = (),
    losses: Iterable[ReferenceLoss] = (),
    categories: Iterable[tuple[str, str]] = (),
    more: Mapping[str, Iterable[tuple[str, int, float]]] | None = None,
) -> Measurement:
    """A measurement from rows, each read once; several draws of a prompt are averaged.

    `categories`: (id, category) of prompts, of which one may have several. `more`: (id, draw, number) by the name of a
    metric that reads answers itself.

    Raises InputError where two rows share an id and a draw, or a reference has no tokens.
    """
    codes = {"harmless": 1.0, "harmful": 0.0, "unscored": -1.0}
    where = f"{method}/{inference} on {suite}"
    judged = answers(
        ((row.id, row.draw, codes[row.verdict], _or_nan(row.score), _or_nan(row.helpful)) for row in verdicts), 3, where
    )
    read = answers(
        ((one.id, one.draw, one.refuses, one.cut, one.words) for one in (Read(*row) for row in responses)), 3, where
    )
    nats, tokens, divergence = columns(
        ((row.id, row.nats, row.tokens, _or_nan(row.divergence)) for row in losses), 3, where
    )
    if (tokens.values < 1).any():
        raise InputError(f"{where}: a reference answer has no tokens; leave it out")
    of_category: dict[str, array[int]] = {}
    for name, category in categories:
        of_category.setdefault(category, array("Q")).append(key(name))
    labels, scores, helpful = judged.numbers
    scored, ones = labels >= 0, np.ones(len(labels))
    both, (refuses, _, _) = judged.beside(read)
    harmless, with_verdict = both.numbers[0], both.numbers[0] >= 0
    return Measurement(
        method=method,
        inference=inference,
        suite=suite,
        kind=kind,
        harmless=judged.averaged(labels, scored),
        scored=judged.summed(ones, scored),
        score=judged.averaged(scores, scored & ~np.isnan(scores)),
        helpful=judged.averaged(helpful, ~np.isnan(helpful)),
        unscored=judged.summed(ones, ~scored),
        refused=read.averaged(read.numbers[0]),
        refusals=both.averaged(harmless * refuses, with_verdict),
        engaged=both.averaged(harmless * (1 - refuses), with_verdict),
        truncated=read.averaged(read.numbers[1]),
        words=read.averaged(read.numbers[2]),
        nats=nats,
        tokens=tokens,
        divergence=Column() if np.isnan(divergence.values).any() else divergence,
        categories={name: np.array(keys, np.uint64) for name, keys in of_category.items()},
        more={name: _averaged(rows, where) for name, rows in (more or {}).items()},
        draws=int(max(one.draws.max(initial=0) for one in (judged, read))) + 1,
    )


def _averaged(rows: Iterable[tuple[str, int, float]], where: str) -> Column:
    read = answers(rows, 1, where)
    return read.averaged(read.numbers[0])


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
