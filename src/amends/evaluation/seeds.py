"""Results over several seeds: the same systems trained and sampled again, with intervals over prompts and seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amends.evaluation.measurement import Column, Measurement, shared
from amends.evaluation.results import CategoryRow, Comparison, Metric, SystemRow
from amends.evaluation.statistics import Interval, paired_rate_interval, seeds_and_prompts, wilson_interval

TEST = "two-way random effects over prompts and seeds"

Table = NDArray[np.float64]
"""Numbers [seeds, prompts], on the prompts that every seed has."""


def pooled_row(measured: Sequence[Measurement]) -> SystemRow:
    """One system on one suite over seeds: means of the seeds' values, intervals over prompts and seeds.

    `n` and `unscored` are the first seed's number of prompts and all seeds' unscored responses.
    """
    first = measured[0]
    harmless, scores = _table([one.harmless for one in measured]), _table([one.score for one in measured])
    refused, truncated = (
        _table([one.refused for one in measured]),
        _table([one.truncated for one in measured]),
    )
    helpful = _table([one.helpful for one in measured])
    nats, tokens = _table([one.nats for one in measured]), _table([one.tokens for one in measured])
    loss = nats.sum() / tokens.sum() if nats.size else None
    return SystemRow(
        method=first.method,
        inference=first.inference,
        suite=first.suite,
        kind=first.kind,
        seeds=len(measured),
        n=len(first.keys),
        unscored=sum(len(one.unscored) for one in measured),
        harmless_rate=_mean(harmless),
        harmless_rate_ci=_rate_interval(harmless),
        harmless_score=_mean(1 + 9 * scores),
        harmless_score_ci=_within(_interval(1 + 9 * scores), 1, 10),
        helpful_score=_mean(helpful),
        helpful_score_ci=_within(_interval(helpful), 1, 10),
        refusal_rate=_mean(refused),
        refusal_rate_ci=_rate_interval(refused),
        reference_loss=None if loss is None else float(loss),
        reference_loss_ci=None if loss is None else _interval(loss + (nats - loss * tokens) / tokens.mean()),
        truncated_rate=_mean(truncated),
        categories={name: _category([one.part(name) for one in measured]) for name in sorted(first.categories)},
    )


def _category(parts: Sequence[Measurement]) -> CategoryRow:
    table = _table([one.harmless for one in parts])
    return CategoryRow(n=len(parts[0].keys), harmless_rate=_mean(table), harmless_rate_ci=_rate_interval(table))


def pooled_comparisons(a: Sequence[Measurement], b: Sequence[Measurement]) -> list[Comparison]:
    """Every metric that both systems have, seed against the same seed, prompt against the same prompt."""
    of_a, of_b = _both([one.harmless for one in a], [one.harmless for one in b])
    found = [_compare_rates(a, b, "harmless_rate", of_a, of_b)]
    of_a, of_b = _both([one.score for one in a], [one.score for one in b])
    found.append(_comparison(a, b, "harmless_score", 9 * (of_a - of_b)))
    of_a, of_b = _both([one.helpful for one in a], [one.helpful for one in b])
    found.append(_comparison(a, b, "helpful_score", of_a - of_b))
    of_a, of_b = _both([one.refused for one in a], [one.refused for one in b])
    found.append(_compare_rates(a, b, "refusal_rate", of_a, of_b))
    found.append(_loss_difference(a, b))
    return [comparison for comparison in found if comparison is not None]


def _compare_rates(
    a: Sequence[Measurement], b: Sequence[Measurement], metric: Metric, of_a: Table, of_b: Table
) -> Comparison | None:
    """Where no seed and no prompt tells the two apart, the interval is that of one seed's pairs: it has a width."""
    found = _comparison(a, b, metric, of_a - of_b)
    if found is None or found.ci is None:
        return found
    interval = paired_rate_interval(of_a[0], of_b[0]) if np.ptp(of_a - of_b) == 0 else _within(found.ci, -1, 1)
    return found.model_copy(update={"ci": interval})


def _loss_difference(a: Sequence[Measurement], b: Sequence[Measurement]) -> Comparison | None:
    """Relative, a / b - 1, each prompt's part in it to first order; answers have the same tokens in all systems."""
    of_a, of_b = _both([one.nats for one in a], [one.nats for one in b])
    if not of_a.size or of_b.sum() == 0:
        return None
    ratio = of_a.sum() / of_b.sum()
    return _comparison(a, b, "reference_loss", ratio - 1 + (of_a - ratio * of_b) / of_b.mean())


def _comparison(
    a: Sequence[Measurement], b: Sequence[Measurement], metric: Metric, differences: Table
) -> Comparison | None:
    if not differences.size:
        return None
    tested = seeds_and_prompts(differences)
    return Comparison(
        a=a[0].system,
        b=b[0].system,
        suite=a[0].suite,
        metric=metric,
        difference=float(differences.mean()),
        ci=tested[0] if tested else None,
        p_value=tested[1] if tested else None,
        test=TEST,
        n=differences.shape[1],
        seeds=len(a),
    )


def _table(columns: Sequence[Column]) -> Table:
    return np.stack(shared(*columns))


def _both(a: Sequence[Column], b: Sequence[Column]) -> tuple[Table, Table]:
    both = np.stack(shared(*a, *b))
    return both[: len(a)], both[len(a) :]


def _mean(table: Table) -> float | None:
    return float(table.mean()) if table.size else None


def _interval(table: Table) -> Interval | None:
    tested = seeds_and_prompts(table)
    return tested[0] if tested else None


def _rate_interval(table: Table) -> Interval | None:
    """Of a rate; where all seeds and prompts agree, Wilson's of one seed's prompts, since 0 of few is not 0."""
    if table.size and np.ptp(table) == 0:
        return wilson_interval(round(table[0].sum()), table.shape[1])
    return _within(_interval(table), 0, 1)


def _within(interval: Interval | None, low: float, high: float) -> Interval | None:
    return (max(low, interval[0]), min(high, interval[1])) if interval else None
