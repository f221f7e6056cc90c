"""The public format `results.json`: one row per system and suite, and the comparisons between systems."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from amends import statistics
from amends.errors import InputError
from amends.evaluation.measurement import Measurement, shared
from amends.evaluation.metrics import METRICS, Metric, MetricRow
from amends.records import Inference, SuiteKind
from amends.statistics import Interval

BOOTSTRAP = f"paired bootstrap over prompts, {statistics.RESAMPLES:,} resamples"
MCNEMAR = f"exact McNemar; {BOOTSTRAP}"
MCNEMAR_FEW = "exact McNemar; Bonett-Price interval, since few pairs are discordant"
FEW_DISCORDANT = 10

# Method and suite name files in the run directory: no separators, nothing hidden.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class CategoryRow(_Row):
    """The harmless rate on the `n` prompts of one category, as of a whole suite: of an attack, 1 - the attack's success."""

    n: int = Field(ge=0)
    unscored: int = Field(default=0, ge=0)
    harmless_rate: float | None = None
    harmless_rate_ci: Interval | None = None
    harmless_rate_bounds: Interval | None = None


class SystemRow(_Row):
    """One system (method and inference) on one suite. Rates in [0, 1]; intervals are 95 % [low, high]; None: not known.

    `harmless_rate` is among scored responses, `harmless_rate_bounds` what it would be if all unscored were harmful or
    harmless, `harmless_unrefused_rate` the part of it that is no refusal. Of several seeds `n` is one seed's prompts and
    `unscored` all seeds' responses. `harmless_score` is 1 + 9 x the mean probability of harmless, `helpful_score` a rating
    from 1 to 10 (of judges that rate it), `reference_loss` in nats per token. `mean_words` is of the responses.
    """

    method: str = Field(pattern=_NAME)
    inference: Inference
    suite: str = Field(pattern=_NAME)
    kind: SuiteKind
    n: int = Field(ge=0)
    seeds: int = Field(default=1, ge=1)
    unscored: int = Field(default=0, ge=0)
    harmless_rate: float | None = None
    harmless_rate_ci: Interval | None = None
    harmless_rate_bounds: Interval | None = None
    harmless_score: float | None = None
    harmless_score_ci: Interval | None = None
    helpful_score: float | None = None
    helpful_score_ci: Interval | None = None
    refusal_rate: float | None = None
    refusal_rate_ci: Interval | None = None
    harmless_unrefused_rate: float | None = None
    harmless_unrefused_rate_ci: Interval | None = None
    reference_loss: float | None = None
    reference_loss_ci: Interval | None = None
    truncated_rate: float | None = None
    mean_words: float | None = None
    categories: dict[str, CategoryRow] = {}

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"


class Comparison(_Row):
    """Two systems on the same `n` prompts. `difference` is a - b; for reference_loss it is relative, a / b - 1.

    `n` counts the prompts used: a pair of which either response is unscored is left out, over seeds estimated.
    """

    a: str
    b: str
    suite: str
    metric: Metric
    difference: float
    ci: Interval | None = None
    p_value: float | None = None
    test: str
    n: int = Field(ge=1)
    seeds: int = Field(default=1, ge=1)


class Results(_Row):
    """`results.json`. `seeds`: those that are pooled, if any; `yields` by stage, `judges` by role, `data` by name."""

    format_version: Literal[1] = 1
    model: str
    seed: int
    seeds: list[int] = []
    systems: list[SystemRow]
    comparisons: list[Comparison] = []
    yields: dict[str, dict[str, Any]] = {}
    judges: dict[str, Any] = {}
    data: dict[str, Any] = {}


Estimate = Callable[[MetricRow, Sequence[Measurement]], tuple[float | None, Interval | None]]
"""A metric of a system, measured once a seed: its value and its interval."""


def system_row(measurement: Measurement, seed: int) -> SystemRow:
    """The rates, scores and losses of one system on one suite, with intervals; `seed` draws the resamples."""
    return build_row([measurement], lambda metric, measured: _estimate(metric, measured[0], seed))


def build_row(measured: Sequence[Measurement], estimate: Estimate) -> SystemRow:
    """One system on one suite, measured once a seed; `estimate` gives each metric's value and interval."""
    first = measured[0]
    truncated, words = (
        np.concatenate([getattr(one, name).values for one in measured]) for name in ("truncated", "words")
    )
    return SystemRow(
        method=first.method,
        inference=first.inference,
        suite=first.suite,
        kind=first.kind,
        seeds=len(measured),
        **_fields(measured, estimate, METRICS.values()),
        truncated_rate=_share(int(truncated.sum()), len(truncated)),
        mean_words=float(words.mean()) if words.size else None,
        categories={
            name: CategoryRow(**_fields([one.part(name) for one in measured], estimate, [METRICS["harmless_rate"]]))
            for name in sorted(first.categories)
        },
    )


def _fields(measured: Sequence[Measurement], estimate: Estimate, metrics: Iterable[MetricRow]) -> dict[str, Any]:
    """What a row of a suite and one of a category have both."""
    fields: dict[str, Any] = {}
    for metric in metrics:
        fields[metric.name], fields[f"{metric.name}_ci"] = estimate(metric, measured)
    harmless = np.concatenate([one.harmless.values for one in measured])
    unscored, safe = sum(len(one.unscored) for one in measured), int(harmless.sum())
    return fields | {
        "n": len(np.unique(np.concatenate([one.keys for one in measured]))),
        "unscored": unscored,
        "harmless_rate_bounds": statistics.unscored_bounds(safe, len(harmless) - safe, unscored),
    }


def _estimate(metric: MetricRow, measurement: Measurement, seed: int) -> tuple[float | None, Interval | None]:
    values = getattr(measurement, metric.column).values
    if metric.kind == "rate":
        count = int(values.sum())
        return _share(count, len(values)), statistics.wilson_interval(count, len(values))
    if not values.size:
        return None, None
    if metric.kind == "score":
        scores = metric.offset + metric.scale * values
        return float(scores.mean()), statistics.mean_interval(scores, seed)
    tokens = measurement.tokens.values
    return float(values.sum() / tokens.sum()), statistics.weighted_mean_interval(values, tokens, seed)


def compare(a: Measurement, b: Measurement, seed: int) -> list[Comparison]:
    """One comparison for every metric that both systems have, on the prompts (by id) that both were measured on.

    Raises InputError where the suites differ.
    """
    if a.suite != b.suite:
        raise InputError(f"cannot compare {a.system} on {a.suite} with {b.system} on {b.suite}: give one suite")
    ways = {"rate": _compare_rates, "score": _compare_scores, "loss": _compare_losses}
    found = [ways[metric.kind](a, b, metric, seed) for metric in METRICS.values()]
    return [comparison for comparison in found if comparison is not None]


def _compare_rates(a: Measurement, b: Measurement, metric: MetricRow, seed: int) -> Comparison | None:
    """A bootstrap has no width where few pairs are discordant, or all in one way; the closed form serves there."""
    first, second = shared(getattr(a, metric.column), getattr(b, metric.column))
    if not first.size:
        return None
    difference = float(first.mean() - second.mean())
    p_value = statistics.mcnemar_p_value(first, second)
    if (first != second).sum() < FEW_DISCORDANT or np.ptp(first - second) == 0:
        interval = statistics.paired_rate_interval(first, second)
        return _comparison(a, b, metric.name, difference, interval, MCNEMAR_FEW, first.size, p_value)
    interval = statistics.mean_interval(first - second, seed)
    return _comparison(a, b, metric.name, difference, interval, MCNEMAR, first.size, p_value)


def _compare_scores(a: Measurement, b: Measurement, metric: MetricRow, seed: int) -> Comparison | None:
    first, second = shared(getattr(a, metric.column), getattr(b, metric.column))
    if not first.size:
        return None
    differences = metric.scale * (first - second)
    interval = statistics.mean_interval(differences, seed)
    return _comparison(a, b, metric.name, float(differences.mean()), interval, BOOTSTRAP, differences.size)


def _compare_losses(a: Measurement, b: Measurement, metric: MetricRow, seed: int) -> Comparison | None:
    # A reference of no loss at all would divide by zero; no real model gives one.
    lossy = b.nats.kept(b.nats.values > 0)
    a_nats, a_tokens, b_nats, b_tokens = shared(a.nats, a.tokens, lossy, b.tokens)
    if not a_nats.size:
        return None
    difference = float((a_nats.sum() / a_tokens.sum()) / (b_nats.sum() / b_tokens.sum()) - 1)
    interval = statistics.relative_difference_interval((a_nats, a_tokens), (b_nats, b_tokens), seed)
    return _comparison(a, b, metric.name, difference, interval, BOOTSTRAP, a_nats.size)


def _comparison(
    a: Measurement,
    b: Measurement,
    metric: Metric,
    difference: float,
    interval: Interval | None,
    test: str,
    n: int,
    p_value: float | None = None,
) -> Comparison:
    return Comparison(
        a=a.system,
        b=b.system,
        suite=a.suite,
        metric=metric,
        difference=difference,
        ci=interval,
        p_value=p_value,
        test=test,
        n=n,
    )


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
