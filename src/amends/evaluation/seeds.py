"""Results over several seeds: the same systems trained and sampled again, with intervals over prompts and seeds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from amends.evaluation.measurement import Measurement, joined, shared
from amends.evaluation.metrics import METRICS, Metric, MetricRow
from amends.evaluation.results import Comparison, SystemRow, build_row
from amends.statistics import (
    Interval,
    Pooled,
    mcnemar_p_value,
    paired_rate_interval,
    seeds_and_prompts,
    wilson_interval,
)

TEST = "two-way random effects over prompts and seeds"
TEST_OF_ONE = "exact McNemar and Bonett-Price interval of one seed, since nothing tells seeds or prompts apart"

Table = NDArray[np.float64]
"""Numbers [seeds, prompts]; NaN where a seed has none of a prompt, such as the verdict on an unscored response."""


def pooled_row(measured: Sequence[Measurement]) -> SystemRow:
    """One system on one suite over seeds, with intervals over prompts and seeds.

    What some seed did not score is estimated for the rate, and counted in `unscored` and in the rate's bounds.
    """
    return build_row(measured, _estimate)


def _estimate(metric: MetricRow, measured: Sequence[Measurement]) -> tuple[float | None, Interval | None]:
    if metric.kind == "loss":
        loss, parts = _parts(measured)
        return loss, None if loss is None else seeds_and_prompts(loss + parts).interval
    table = joined([getattr(one, metric.column) for one in measured])
    found = _rate(table) if metric.kind == "rate" else seeds_and_prompts(metric.offset + metric.scale * table, 1, 10)
    return found.mean, found.interval


def pooled_comparisons(a: Sequence[Measurement], b: Sequence[Measurement]) -> list[Comparison]:
    """Every metric that both systems have, seed against the same seed, prompt against the same prompt."""
    ways = {"rate": _rates, "score": _scores, "loss": _losses}
    found = [ways[metric.kind](a, b, metric) for metric in METRICS.values()]
    return [comparison for comparison in found if comparison is not None]


def _rates(a: Sequence[Measurement], b: Sequence[Measurement], metric: MetricRow) -> Comparison | None:
    """Where no seed and no prompt tells the two apart, interval and test are those of one seed's pairs."""
    of_a, of_b = _both(a, b, metric.column)
    found = _comparison(a, b, metric.name, of_a - of_b, -1, 1)
    if found is None or _vary(of_a - of_b):
        return found
    known = ~np.isnan(of_a - of_b)
    fullest = int(known.sum(axis=1).argmax())
    pairs = [table[fullest, known[fullest]] for table in (of_a, of_b)]
    one_seed = {"ci": paired_rate_interval(*pairs), "p_value": mcnemar_p_value(*pairs), "test": TEST_OF_ONE}
    return found.model_copy(update=one_seed)


def _scores(a: Sequence[Measurement], b: Sequence[Measurement], metric: MetricRow) -> Comparison | None:
    of_a, of_b = _both(a, b, metric.column)
    return _comparison(a, b, metric.name, metric.scale * (of_a - of_b), -9, 9)


def _losses(a: Sequence[Measurement], b: Sequence[Measurement], metric: MetricRow) -> Comparison | None:
    """Relative, a / b - 1 of nats per token, each prompt's part in it to first order."""
    (loss_a, parts_a), (loss_b, parts_b) = _parts(a, b), _parts(b, a)
    if not loss_a or not loss_b:
        return None
    ratio = loss_a / loss_b
    return _comparison(a, b, metric.name, ratio - 1 + ratio * (parts_a / loss_a - parts_b / loss_b))


def _parts(measured: Sequence[Measurement], others: Sequence[Measurement] = ()) -> tuple[float | None, Table]:
    """Nats per token, and to first order what each prompt adds to it, on the prompts that the others have too."""
    columns = [column for one in (*measured, *others) for column in (one.nats, one.tokens)]
    table = np.stack(shared(*columns))[: 2 * len(measured)]
    nats, tokens = table[::2], table[1::2]
    if not nats.size:
        return None, nats
    loss = float(nats.sum() / tokens.sum())
    return loss, (nats - loss * tokens) / tokens.mean()


def _comparison(
    a: Sequence[Measurement],
    b: Sequence[Measurement],
    metric: Metric,
    differences: Table,
    low: float = -np.inf,
    high: float = np.inf,
) -> Comparison | None:
    pooled = seeds_and_prompts(differences, low, high)
    if pooled.mean is None:
        return None
    varies = pooled.p_value is not None or not pooled.mean  # else an interval without width would read as certainty
    return Comparison(
        a=a[0].system,
        b=b[0].system,
        suite=a[0].suite,
        metric=metric,
        difference=pooled.mean,
        ci=pooled.interval if varies else None,
        p_value=pooled.p_value,
        test=TEST,
        n=int((~np.isnan(differences)).any(axis=0).sum()),
        seeds=len(a),
    )


def _both(a: Sequence[Measurement], b: Sequence[Measurement], column: str) -> tuple[Table, Table]:
    both = joined([getattr(one, column) for one in (*a, *b)])
    return both[: len(a)], both[len(a) :]


def _rate(table: Table) -> Pooled:
    """Of zeros and ones; where all agree, the interval is Wilson's of one seed's prompts, since 0 of few is not 0."""
    found = seeds_and_prompts(table, 0, 1)
    if found.mean is None or _vary(table):
        return found
    scored = int((~np.isnan(table)).sum(axis=1).max())
    return Pooled(found.mean, wilson_interval(round(found.mean * scored), scored))


def _vary(table: Table) -> bool:
    return bool(np.nanmax(table) > np.nanmin(table))
