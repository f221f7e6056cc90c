"""Rates, scores and losses: how each is estimated and compared, of one seed over prompts, of several over both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from amends.evaluation import statistics
from amends.evaluation.columns import Column, joined, shared
from amends.evaluation.measurement import Measurement
from amends.evaluation.metrics.base import Difference, Estimated, Metric, Shown
from amends.evaluation.paired_tests import paired_test, smallest_difference
from amends.evaluation.statistics import Pooled, seeds_and_prompts

BOOTSTRAP = f"paired bootstrap over prompts, {statistics.RESAMPLES:,} resamples"
MCNEMAR = f"exact McNemar; {BOOTSTRAP}"
MCNEMAR_FEW = "exact McNemar; Bonett-Price interval, since few pairs are discordant"
FEW_DISCORDANT = 10
TEST = "two-way random effects over prompts and seeds"
TEST_OF_ONE = "exact McNemar and Bonett-Price interval of one seed, since nothing tells seeds or prompts apart"

Table = NDArray[np.float64]
"""Numbers [seeds, prompts]; NaN where a seed has none of a prompt, such as the verdict on an unscored response."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rate(Metric):
    """A share: zeros and ones by prompt, or numbers between, such as probabilities and means over several draws."""

    kind: ClassVar[str] = "rate"
    shown: ClassVar[Shown] = Shown(100, 1)
    shown_difference: ClassVar[Shown] = Shown(100, 1)

    def estimate(self, measurement: Measurement, seed: int) -> Estimated:
        """With Wilson's interval; of numbers between 0 and 1 with a bootstrap over prompts."""
        values = self.column(measurement).values
        if not values.size:
            return None, None
        if not _counts(values):
            return float(values.mean()), statistics.mean_interval(values, seed)
        count = int(values.sum())
        return count / len(values), statistics.wilson_interval(count, len(values))

    def estimate_pooled(self, measured: Sequence[Measurement]) -> Estimated:
        """Where all seeds and prompts agree, the interval is Wilson's of one seed's prompts: 0 of few is not 0."""
        table = joined([self.column(one) for one in measured])
        found = seeds_and_prompts(table, 0, 1)
        if found.mean is None or _vary(table):
            return found.mean, found.interval
        if not _counts(table[~np.isnan(table)]):
            return found.mean, None
        scored = int((~np.isnan(table)).sum(axis=1).max())
        return found.mean, statistics.wilson_interval(round(found.mean * scored), scored)

    def compare(self, a: Measurement, b: Measurement, seed: int) -> Difference | None:
        """A bootstrap has no width where few pairs are discordant, or all in one way; the closed form serves there."""
        first, second = shared(self.column(a), self.column(b))
        if not first.size:
            return None
        if not _counts(np.concatenate([first, second])):
            return _compared(first - second, seed)
        few = (first != second).sum() < FEW_DISCORDANT or np.ptp(first - second) == 0
        return Difference(
            float(first.mean() - second.mean()),
            statistics.paired_rate_interval(first, second) if few else statistics.mean_interval(first - second, seed),
            MCNEMAR_FEW if few else MCNEMAR,
            first.size,
            statistics.mcnemar_p_value(first, second),
            smallest_difference(statistics.paired_rate_error(first, second), first.size - 1),
        )

    def compare_pooled(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> Difference | None:
        """Where no seed and no prompt tells the two apart, interval and test are those of one seed's pairs."""
        of_a, of_b = _both([self.column(one) for one in a], [self.column(one) for one in b])
        found = _difference(of_a - of_b, -1, 1)
        if found is None or _vary(of_a - of_b):
            return found
        known = ~np.isnan(of_a - of_b)
        fullest = int(known.sum(axis=1).argmax())
        pairs = [table[fullest, known[fullest]] for table in (of_a, of_b)]
        if not _counts(np.concatenate(pairs)):
            return found
        interval, p_value = statistics.paired_rate_interval(*pairs), statistics.mcnemar_p_value(*pairs)
        smallest = smallest_difference(statistics.paired_rate_error(*pairs), len(pairs[0]) - 1)
        return found._replace(interval=interval, p_value=p_value, test=TEST_OF_ONE, smallest=smallest)


@dataclass(frozen=True, eq=False, kw_only=True)
class Score(Metric):
    """A mean between 1 and 10: of `offset` + `scale` x the numbers by prompt."""

    scale: float = 1
    offset: float = 0

    kind: ClassVar[str] = "score"
    shown: ClassVar[Shown] = Shown(1, 2)
    shown_difference: ClassVar[Shown] = Shown(1, 2)

    def estimate(self, measurement: Measurement, seed: int) -> Estimated:
        """With a bootstrap over prompts."""
        scores = self.offset + self.scale * self.column(measurement).values
        return (float(scores.mean()), statistics.mean_interval(scores, seed)) if scores.size else (None, None)

    def estimate_pooled(self, measured: Sequence[Measurement]) -> Estimated:
        """By two-way random effects."""
        table = joined([self.column(one) for one in measured])
        found = seeds_and_prompts(self.offset + self.scale * table, 1, 10)
        return found.mean, found.interval

    def compare(self, a: Measurement, b: Measurement, seed: int) -> Difference | None:
        """With a bootstrap over prompts."""
        first, second = shared(self.column(a), self.column(b))
        return _compared(self.scale * (first - second), seed) if first.size else None

    def compare_pooled(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> Difference | None:
        """By two-way random effects."""
        of_a, of_b = _both([self.column(one) for one in a], [self.column(one) for one in b])
        return _difference(self.scale * (of_a - of_b), -9, 9)


@dataclass(frozen=True, eq=False, kw_only=True)
class Loss(Metric):
    """Nats per token: the numbers by prompt are nats, weighed by the reference's tokens. Differences are relative."""

    more_is_better: bool = False

    kind: ClassVar[str] = "loss"
    shown: ClassVar[Shown] = Shown(1, 3)
    shown_difference: ClassVar[Shown] = Shown(100, 1, "%")

    def estimate(self, measurement: Measurement, seed: int) -> Estimated:
        """With a bootstrap over prompts."""
        nats, tokens = self.column(measurement).values, measurement.tokens.values
        if not nats.size:
            return None, None
        return float(nats.sum() / tokens.sum()), statistics.weighted_mean_interval(nats, tokens, seed)

    def estimate_pooled(self, measured: Sequence[Measurement]) -> Estimated:
        """By two-way random effects of what each prompt adds."""
        loss, parts = self._parts(measured)
        return loss, None if loss is None else seeds_and_prompts(loss + parts).interval

    def compare(self, a: Measurement, b: Measurement, seed: int) -> Difference | None:
        """Relative, a / b - 1."""
        # A reference of no loss at all would divide by zero; no real model gives one.
        of_b = self.column(b)
        lossy = of_b.kept(of_b.values > 0)
        a_nats, a_tokens, b_nats, b_tokens = shared(self.column(a), a.tokens, lossy, b.tokens)
        if not a_nats.size:
            return None
        difference = float((a_nats.sum() / a_tokens.sum()) / (b_nats.sum() / b_tokens.sum()) - 1)
        interval = statistics.relative_difference_interval((a_nats, a_tokens), (b_nats, b_tokens), seed)
        found = paired_test(self._relative([a], [b])[0])
        return Difference(
            difference, interval, f"{found.test}; {BOOTSTRAP}", a_nats.size, found.p_value, found.smallest
        )

    def compare_pooled(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> Difference | None:
        """Relative, a / b - 1, each prompt's part in it to first order."""
        relative = self._relative(a, b)
        return _difference(relative) if relative.size else None

    def _relative(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> Table:
        """Relative differences [seeds, prompts] to first order, whose mean is a / b - 1; empty without losses."""
        (loss_a, parts_a), (loss_b, parts_b) = self._parts(a, b), self._parts(b, a)
        if not loss_a or not loss_b:
            return np.empty((len(a), 0))
        ratio = loss_a / loss_b
        relative: Table = ratio - 1 + ratio * (parts_a / loss_a - parts_b / loss_b)
        return relative

    def _parts(self, measured: Sequence[Measurement], others: Sequence[Measurement] = ()) -> tuple[float | None, Table]:
        """Nats per token, and to first order what each prompt adds to it, on the prompts that the others have too."""
        columns = [column for one in (*measured, *others) for column in (self.column(one), one.tokens)]
        table = np.stack(shared(*columns))[: 2 * len(measured)]
        nats, tokens = table[::2], table[1::2]
        if not nats.size:
            return None, nats
        loss = float(nats.sum() / tokens.sum())
        return loss, (nats - loss * tokens) / tokens.mean()


def _difference(differences: Table, low: float = -np.inf, high: float = np.inf) -> Difference | None:
    pooled: Pooled = seeds_and_prompts(differences, low, high)
    if pooled.mean is None:
        return None
    varies = pooled.p_value is not None or not pooled.mean  # else an interval without width would read as certainty
    prompts = int((~np.isnan(differences)).any(axis=0).sum())
    interval, smallest = (pooled.interval if varies else None), smallest_difference(pooled.error, pooled.freedom)
    return Difference(pooled.mean, interval, TEST, prompts, pooled.p_value, smallest)


def _compared(differences: NDArray[np.float64], seed: int) -> Difference:
    """Of differences by prompt [prompts]."""
    found, interval = paired_test(differences), statistics.mean_interval(differences, seed)
    test = f"{found.test}; {BOOTSTRAP}"
    return Difference(float(differences.mean()), interval, test, differences.size, found.p_value, found.smallest)


def _counts(values: NDArray[np.float64]) -> bool:
    """Whether each prompt counts whole or not at all."""
    return bool(((values == 0) | (values == 1)).all())


def _both(a: Sequence[Column], b: Sequence[Column]) -> tuple[Table, Table]:
    both = joined([*a, *b])
    return both[: len(a)], both[len(a) :]


def _vary(table: Table) -> bool:
    return bool(np.nanmax(table) > np.nanmin(table))
