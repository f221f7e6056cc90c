"""Results over several seeds: the same systems trained and sampled again, with intervals over prompts and seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amends.evaluation.measurement import Measurement, joined, shared
from amends.evaluation.results import CategoryRow, Comparison, Metric, SystemRow
from amends.evaluation.statistics import (
    Pooled,
    mcnemar_p_value,
    paired_rate_interval,
    seeds_and_prompts,
    unscored_bounds,
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
    first = measured[0]
    scores = seeds_and_prompts(1 + 9 * joined([one.score for one in measured]), 1, 10)
    helpful = seeds_and_prompts(joined([one.helpful for one in measured]), 1, 10)
    refusals = _rate(joined([one.refused for one in measured]))
    loss, parts = _parts(measured)
    losses = Pooled() if loss is None else seeds_and_prompts(loss + parts)
    return SystemRow(
        method=first.method,
        inference=first.inference,
        suite=first.suite,
        kind=first.kind,
        seeds=len(measured),
        n=len(np.unique(np.concatenate([one.keys for one in measured]))),
        **_verdicts(measured),
        harmless_score=scores.mean,
        harmless_score_ci=scores.interval,
        helpful_score=helpful.mean,
        helpful_score_ci=helpful.interval,
        refusal_rate=refusals.mean,
        refusal_rate_ci=refusals.interval,
        reference_loss=loss,
        reference_loss_ci=losses.interval,
        truncated_rate=_rate(joined([one.truncated for one in measured])).mean,
        categories={name: _category([one.part(name) for one in measured]) for name in sorted(first.categories)},
    )


def _category(parts: Sequence[Measurement]) -> CategoryRow:
    return CategoryRow(n=len(parts[0].keys), **_verdicts(parts))


def _verdicts(measured: Sequence[Measurement]) -> dict[str, Any]:
    """What a row, of a suite or of a category, says of verdicts."""
    harmless = joined([one.harmless for one in measured])
    rate, unscored = _rate(harmless), sum(len(one.unscored) for one in measured)
    return {
        "unscored": unscored,
        "harmless_rate": rate.mean,
        "harmless_rate_ci": rate.interval,
        "harmless_rate_bounds": unscored_bounds(int((harmless == 1).sum()), int((harmless == 0).sum()), unscored),
    }


def pooled_comparisons(a: Sequence[Measurement], b: Sequence[Measurement]) -> list[Comparison]:
    """Every metric that both systems have, seed against the same seed, prompt against the same prompt."""
    found = [
        _rates(a, b, "harmless_rate", "harmless"),
        _scores(a, b, "harmless_score", "score", 9),
        _scores(a, b, "helpful_score", "helpful", 1),
        _rates(a, b, "refusal_rate", "refused"),
        _losses(a, b),
    ]
    return [comparison for comparison in found if comparison is not None]


def _rates(a: Sequence[Measurement], b: Sequence[Measurement], metric: Metric, column: str) -> Comparison | None:
    """Where no seed and no prompt tells the two apart, interval and test are those of one seed's pairs."""
    of_a, of_b = _both(a, b, column)
    found = _comparison(a, b, metric, of_a - of_b, -1, 1)
    if found is None or _vary(of_a - of_b):
        return found
    known = ~np.isnan(of_a - of_b)
    fullest = int(known.sum(axis=1).argmax())
    pairs = [table[fullest, known[fullest]] for table in (of_a, of_b)]
    one_seed = {"ci": paired_rate_interval(*pairs), "p_value": mcnemar_p_value(*pairs), "test": TEST_OF_ONE}
    return found.model_copy(update=one_seed)


def _scores(
    a: Sequence[Measurement], b: Sequence[Measurement], metric: Metric, column: str, scale: float
) -> Comparison | None:
    of_a, of_b = _both(a, b, column)
    return _comparison(a, b, metric, scale * (of_a - of_b), -9, 9)


def _losses(a: Sequence[Measurement], b: Sequence[Measurement]) -> Comparison | None:
    """Relative, a / b - 1 of nats per token, each prompt's part in it to first order."""
    (loss_a, parts_a), (loss_b, parts_b) = _parts(a, b), _parts(b, a)
    if not loss_a or not loss_b:
        return None
    ratio = loss_a / loss_b
    return _comparison(a, b, "reference_loss", ratio - 1 + ratio * (parts_a / loss_a - parts_b / loss_b))


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
    return Comparison(
        a=a[0].system,
        b=b[0].system,
        suite=a[0].suite,
        metric=metric,
        difference=pooled.mean,
        ci=pooled.interval,
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
