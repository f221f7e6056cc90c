"""Intervals and paired tests: thin over scipy. None means that the numbers at hand cannot say."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy  # its parts load where they are used: `stats` alone takes half a second
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]
FloatArray = NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 10_000
# Bounds time and memory of a bootstrap: more prompts than this are summed into so many groups first.
GROUPS = 1_000
# Simulated without a difference, a bootstrap interval excludes zero in 50% of draws of 2 prompts, 17% of 5, 9% of 10
# (dev/log/2026.md).
FEWEST = 10
_BATCH = 1_000


def wilson_interval(successes: int, n: int) -> Interval | None:
    """Wilson score interval of a rate, in [0, 1]; None where `n` is 0.

    Source: Wilson 1927; scipy.stats.binomtest(...).proportion_ci. Raises ValueError unless 0 <= successes <= n.
    """
    if n == 0:
        return None
    interval = scipy.stats.binomtest(successes, n).proportion_ci(confidence_level=CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def unscored_bounds(harmless: int, harmful: int, unscored: int) -> Interval | None:
    """Harmless rate if all unscored responses were harmful, and if all were harmless; None without responses."""
    total = harmless + harmful + unscored
    if total == 0:
        return None
    return harmless / total, (harmless + unscored) / total


def mcnemar_p_value(a: ArrayLike, b: ArrayLike) -> float | None:
    """Exact two-sided McNemar test that two systems have the same rate; None without pairs, 1 without discordant ones.

    `a`, `b`: bool [prompts], in the same order. Source: McNemar 1947, as a binomial test on the discordant pairs.
    Raises ValueError where the shapes differ.
    """
    only_a, only_b, pairs = _discordant(a, b)
    if pairs == 0:
        return None
    if only_a + only_b == 0:
        return 1.0
    return float(scipy.stats.binomtest(only_a, only_a + only_b, 0.5).pvalue)


def paired_rate_interval(a: ArrayLike, b: ArrayLike) -> Interval | None:
    """Interval of rate(a) - rate(b) on the same prompts, in [-1, 1]; None without pairs.

    `a`, `b`: bool [prompts], in the same order. The Wald interval after one pseudo-count in each discordant cell. A
    bootstrap has no width where few pairs or only one kind are discordant, which would read as certainty.
    Source: Bonett and Price 2012, recommended by Fagerland, Lydersen and Laake 2014 (doi 10.1002/sim.6148).
    Raises ValueError where the shapes differ.
    """
    only_a, only_b, pairs = _discordant(a, b)
    if pairs == 0:
        return None
    center = (only_a - only_b) / (pairs + 2)
    width = float(scipy.stats.norm.ppf(0.5 + CONFIDENCE / 2)) * paired_rate_error(a, b)
    return max(-1.0, float(center - width)), min(1.0, float(center + width))


def paired_rate_error(a: ArrayLike, b: ArrayLike) -> float:
    """The standard error of that difference, with the same pseudo-counts: it is above 0 also where no pair differs."""
    only_a, only_b, pairs = _discordant(a, b)
    share_a, share_b = (only_a + 1) / (pairs + 2), (only_b + 1) / (pairs + 2)
    return float(np.sqrt((share_a + share_b - (share_a - share_b) ** 2) / (pairs + 2)))


def sign_test(wins: int, losses: int) -> float | None:
    """Two-sided exact p value of as many wins and losses or more unequal ones; ties say nothing. None without any."""
    return float(scipy.stats.binomtest(wins, wins + losses).pvalue) if wins + losses else None


def greater_share_p_value(count: int, n: int, share: float) -> float:
    """One-sided exact p value of `count` of `n` or more where `share` is the true one."""
    return float(scipy.stats.binomtest(count, n, share, alternative="greater").pvalue)


def mean_interval(values: ArrayLike, seed: int) -> Interval | None:
    """Percentile bootstrap interval of the mean of `values` [prompts]; None below FEWEST, which spread too little.

    Source: Efron 1979; scipy.stats.bootstrap. The same seed gives the same interval.
    """
    return weighted_mean_interval(values, np.ones(np.size(values)), seed)


def weighted_mean_interval(sums: ArrayLike, weights: ArrayLike, seed: int) -> Interval | None:
    """Interval of sum(sums) / sum(weights), such as nats per token, drawing prompts; None below FEWEST prompts.

    `sums` [prompts] in nats, `weights` [prompts] in tokens, all above 0.
    """
    samples = (np.asarray(sums, dtype=np.float64), np.asarray(weights, dtype=np.float64))

    def ratio(nats: FloatArray, tokens: FloatArray, axis: int) -> FloatArray:
        return nats.sum(axis=axis) / tokens.sum(axis=axis)

    return _bootstrap(samples, ratio, seed)


def relative_difference_interval(
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    seed: int,
) -> Interval | None:
    """Interval of mean(a) / mean(b) - 1, of weighted means on the same prompts; None below FEWEST.

    `a`, `b`: (sums, weights), each [prompts] in the same order; all weights, and all sums of `b`, above 0.
    """
    samples = tuple(np.asarray(part, dtype=np.float64) for part in (*a, *b))

    def relative(
        a_sums: FloatArray, a_weights: FloatArray, b_sums: FloatArray, b_weights: FloatArray, axis: int
    ) -> FloatArray:
        a_mean = a_sums.sum(axis=axis) / a_weights.sum(axis=axis)
        return a_mean / (b_sums.sum(axis=axis) / b_weights.sum(axis=axis)) - 1

    return _bootstrap(samples, relative, seed)


def percentile_interval(drawn: Sequence[float], prompts: int) -> Interval | None:
    """Interval of a statistic from its values in resamples of so many prompts; None below FEWEST prompts."""
    if prompts < FEWEST:
        return None
    low, high = np.quantile(drawn, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return float(low), float(high)


class Pooled(NamedTuple):
    """A mean over seeds and prompts, its interval, and the p-value that it is 0; None where the numbers cannot say.

    `error` and `freedom`: its standard error and degrees of freedom; 0 where the numbers cannot say.
    """

    mean: float | None = None
    interval: Interval | None = None
    p_value: float | None = None
    error: float = 0.0
    freedom: float = 0.0


def seeds_and_prompts(values: ArrayLike, low: float = -np.inf, high: float = np.inf) -> Pooled:
    """The mean of `values` [seeds, prompts], which is between `low` and `high`; both are drawn from populations.

    Two-way random effects without replication: the mean's variance is (M_prompts + M_seeds - M_residual) / (seeds x
    prompts) of the mean squares M, its degrees of freedom are Satterthwaite's, and t is used. A variance below the
    residual's alone counts as that. No interval below two seeds or two prompts; no p-value where nothing varies.
    Missing values (NaN) are set to what their seed and their prompt lead to expect, and cost the residual a degree of
    freedom each.
    Source: Cornfield and Tukey 1956; Satterthwaite 1946; Yates 1933; Brennan, Generalizability Theory, 2001, section 6.
    """
    given = np.asarray(values, dtype=np.float64)
    given = given[~np.isnan(given).all(axis=1)][:, ~np.isnan(given).all(axis=0)]
    if not given.size:
        return Pooled()
    missing = int(np.isnan(given).sum())
    table = _filled(given) if missing else given
    if table is None:
        return Pooled(float(np.nanmean(given)))
    # Estimates alone: what a prompt adds to an AUROC may lie outside of the mean's bounds.
    table = np.where(np.isnan(given), table.clip(low, high), table)
    seeds, prompts = table.shape
    mean, by_prompt, by_seed = float(table.mean()), table.mean(axis=0), table.mean(axis=1)
    rest = table - by_prompt[None, :] - by_seed[:, None] + mean
    freedoms = np.array([prompts - 1, seeds - 1, (seeds - 1) * (prompts - 1) - missing])
    if freedoms.min() < 1:
        return Pooled(mean)
    sums = [seeds * ((by_prompt - mean) ** 2).sum(), prompts * ((by_seed - mean) ** 2).sum(), (rest**2).sum()]
    squares = np.array(sums) / freedoms
    total = max(squares[0] + squares[1] - squares[2], squares[2])
    if total <= (1e-12 * np.abs(table).max()) ** 2:
        return Pooled(mean, (mean, mean))
    freedom = total**2 / (squares**2 / freedoms).sum()
    error = np.sqrt(total / (table.size - missing))
    half = float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * error)
    interval = (max(low, mean - half), min(high, mean + half))
    return Pooled(mean, interval, float(2 * scipy.stats.t.sf(abs(mean) / error, freedom)), float(error), float(freedom))


def _filled(table: FloatArray) -> FloatArray | None:
    """Missing values of a two-way table by its additive fit; None where the seeds share too few prompts for one."""
    known = ~np.isnan(table)
    values, counts = np.where(known, table, 0.0), known.sum(axis=0)
    by_prompt = values.sum(axis=0) / counts
    # Normal equations of the seeds' effects, prompts eliminated: effects sum to anything, so the rank is one below.
    equations = np.diag(known.sum(axis=1)) - (known / counts) @ known.T
    if np.linalg.matrix_rank(equations) < len(table) - 1:
        return None
    right = (np.where(known, table - by_prompt, 0.0)).sum(axis=1)
    of_seeds = np.linalg.lstsq(equations, right, rcond=None)[0]
    of_prompts = (values - known * of_seeds[:, None]).sum(axis=0) / counts
    return np.where(known, table, of_seeds[:, None] + of_prompts[None, :])


def _discordant(a: ArrayLike, b: ArrayLike) -> tuple[int, int, int]:
    """Pairs with only a, pairs with only b, all pairs."""
    first, second = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal shapes, not {first.shape} and {second.shape}")
    return int((first & ~second).sum()), int((second & ~first).sum()), first.size


def _bootstrap(
    samples: tuple[FloatArray, ...],
    statistic: Callable[..., FloatArray],
    seed: int,
) -> Interval | None:
    """Percentile interval, resampling all `samples` with the same indices. BCa is undefined where all are equal.

    `statistic` sees sums alone. So above GROUPS prompts it may draw groups of prompts, which were put together at
    random:
    their sums spread as the prompts' do, and time and memory of the draws no longer grow.
    """
    n = samples[0].size
    if n < FEWEST:
        return None
    generator = np.random.default_rng(seed)
    if n > GROUPS:
        group = generator.permutation(n) % GROUPS
        samples = tuple(np.bincount(group, sample, GROUPS).astype(np.float64) for sample in samples)
    outcome = scipy.stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        vectorized=True,
        paired=True,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=generator,
    )
    return float(outcome.confidence_interval.low), float(outcome.confidence_interval.high)
