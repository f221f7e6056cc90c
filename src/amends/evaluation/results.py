"""The public format `results.json`: one row per system and suite, and the comparisons between systems."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from amends.errors import InputError
from amends.evaluation import statistics
from amends.evaluation.measurement import Measurement
from amends.evaluation.metrics.base import METRICS, Difference, Estimated, Metric, MetricName
from amends.evaluation.paired_tests import holm
from amends.evaluation.results_facts import Data, Yield, that_reads_as
from amends.evaluation.statistics import Interval
from amends.evaluation.suites.base import SuiteKindName
from amends.records import Inference

# Method and suite name files in the run directory: no separators, nothing hidden.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


OF_CATEGORIES = (
    "harmless_probability",
    "harmless_rate",
    "harmful_rate",
    "harmless_refusal_rate",
    "harmless_engaged_rate",
    "followed_rate",
)
"""Metrics that each category of a suite's prompts has, too."""


class CategoryRow(_Row):
    """What was measured on the `n` prompts of one category, as of a whole suite; an attack's success is harmful."""

    n: int = Field(ge=0)
    unscored: int = Field(default=0, ge=0)
    harmless_probability: float | None = None
    harmless_probability_ci: Interval | None = None
    harmless_rate: float | None = None
    harmless_rate_ci: Interval | None = None
    harmless_rate_bounds: Interval | None = None
    harmful_rate: float | None = None
    harmful_rate_ci: Interval | None = None
    harmless_refusal_rate: float | None = None
    harmless_refusal_rate_ci: Interval | None = None
    harmless_engaged_rate: float | None = None
    harmless_engaged_rate_ci: Interval | None = None
    followed_rate: float | None = None
    followed_rate_ci: Interval | None = None


class SystemRow(_Row):
    """One system (method and inference) on one suite. Rates in [0, 1]; intervals are 95 % [low, high]; None: not known.

    `harmless_probability` is the judge's mean, the primary measure. `harmless_rate` is among scored responses, and
    `harmless_rate_bounds` what it would be if all unscored were harmful or harmless. Three shares of the scored
    responses add up to 1: `harmful_rate`, `harmless_refusal_rate` and `harmless_engaged_rate`. Each is a mean over
    prompts, of several `draws` of each prompt's mean. Of several seeds `n` is one seed's prompts and `unscored` all
    responses. `harmless_score` is 1 + 9 x the mean probability of harmless, `helpful_score` a rating from 1 to 10 (of
    judges that rate it). `reference_loss` and `divergence`, from the start on the same tokens, are in nats per token.
    `followed_rate` is of verifiable instructions. `mean_words` is of the responses. Metrics that were added to amends'
    own follow behind, each with its interval as `NAME_ci`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | Interval | None]

    method: str = Field(pattern=_NAME)
    inference: Inference
    suite: str = Field(pattern=_NAME)
    kind: SuiteKindName
    n: int = Field(ge=0)
    seeds: int = Field(default=1, ge=1)
    draws: int = Field(default=1, ge=1)
    unscored: int = Field(default=0, ge=0)
    harmless_probability: float | None = None
    harmless_probability_ci: Interval | None = None
    harmless_rate: float | None = None
    harmless_rate_ci: Interval | None = None
    harmless_rate_bounds: Interval | None = None
    harmful_rate: float | None = None
    harmful_rate_ci: Interval | None = None
    harmless_refusal_rate: float | None = None
    harmless_refusal_rate_ci: Interval | None = None
    harmless_engaged_rate: float | None = None
    harmless_engaged_rate_ci: Interval | None = None
    harmless_score: float | None = None
    harmless_score_ci: Interval | None = None
    helpful_score: float | None = None
    helpful_score_ci: Interval | None = None
    refusal_rate: float | None = None
    refusal_rate_ci: Interval | None = None
    reference_loss: float | None = None
    reference_loss_ci: Interval | None = None
    followed_rate: float | None = None
    followed_rate_ci: Interval | None = None
    divergence: float | None = None
    divergence_ci: Interval | None = None
    truncated_rate: float | None = None
    mean_words: float | None = None
    categories: dict[str, CategoryRow] = {}

    @model_validator(mode="before")
    @classmethod
    def _known_columns(cls, values: Any) -> Any:
        """Those of the format and of the metrics at hand; others may be of metrics that are not here."""
        if not isinstance(values, dict):
            return values
        known = cls.model_fields.keys() | {name for metric in METRICS for name in (metric, f"{metric}_ci")}
        return {key: value for key, value in values.items() if key in known}

    def value(self, metric: str) -> float | None:
        """Of a metric; None where it is not known."""
        return getattr(self, metric, None)

    def interval(self, metric: str) -> Interval | None:
        """Of a metric's value."""
        return getattr(self, f"{metric}_ci", None)

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"

    @property
    def answers_a_prompt(self) -> int:
        """Of all draws and seeds."""
        return self.seeds * self.draws


class Comparison(_Row):
    """Two systems on the same `n` prompts. `difference` is a - b; for reference_loss it is relative, a / b - 1.

    `n` counts the prompts used: a pair of which either response is unscored is left out, over seeds estimated. The
    `primary` comparison was named before the run; of all others `p_holm` is the p-value corrected for their number.
    `detectable` is the smallest true difference that would have been found in 8 of 10 cases, at p < .05 uncorrected.
    """

    a: str
    b: str
    suite: str
    metric: MetricName
    difference: float
    ci: Interval | None = None
    p_value: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    primary: bool = False
    test: str
    n: int = Field(ge=1)
    seeds: int = Field(default=1, ge=1)


class Primary(_Row):
    """The comparison that was named before the run, of two systems (method/inference) on a suite by a metric."""

    a: str
    b: str
    suite: str
    metric: str


class Results(_Row):
    """`results.json`. `notes`: sentences on what to know before all else; `primary`: what was named before the run.

    `seeds`: those that are pooled, if any; `yields` by stage, `judges` by role, `data` by name.
    """

    format_version: Literal[1] = 1
    notes: list[str] = []
    model: str
    seed: int
    seeds: list[int] = []
    primary: Primary | None = None
    systems: list[SystemRow]
    comparisons: list[Comparison] = []
    yields: dict[str, Annotated[dict[str, Any], that_reads_as(Yield)]] = {}
    judges: dict[str, Any] = {}
    data: Annotated[dict[str, Any], that_reads_as(Data)] = {}


Estimate = Callable[[Metric, Sequence[Measurement]], Estimated]
"""A metric of a system, measured once a seed: its value and its interval."""


def system_row(measurement: Measurement, seed: int) -> SystemRow:
    """The rates, scores and losses of one system on one suite, with intervals; `seed` draws the resamples."""
    return build_row([measurement], lambda metric, measured: metric.estimate(measured[0], seed))


def build_row(measured: Sequence[Measurement], estimate: Estimate) -> SystemRow:
    """One system on one suite, measured once a seed; `estimate` gives each metric's value and interval."""
    first, of_categories = measured[0], [METRICS[name] for name in OF_CATEGORIES]
    truncated, words = (
        np.concatenate([getattr(one, name).values for one in measured]) for name in ("truncated", "words")
    )
    return SystemRow(
        method=first.method,
        inference=first.inference,
        suite=first.suite,
        kind=first.kind,
        seeds=len(measured),
        draws=max(one.draws for one in measured),
        **_fields(measured, estimate, METRICS.values()),
        truncated_rate=float(truncated.mean()) if truncated.size else None,
        mean_words=float(words.mean()) if words.size else None,
        categories={
            name: CategoryRow(**_fields([one.part(name) for one in measured], estimate, of_categories))
            for name in sorted(first.categories)
        },
    )


def _fields(measured: Sequence[Measurement], estimate: Estimate, metrics: Iterable[Metric]) -> dict[str, Any]:
    """What a row of a suite and one of a category have both."""
    fields: dict[str, Any] = {}
    for metric in metrics:
        fields[metric.name], fields[f"{metric.name}_ci"] = estimate(metric, measured)
    scored, unscored = (round(sum(getattr(one, of).values.sum() for one in measured)) for of in ("scored", "unscored"))
    safe = round(sum(float((one.harmless.values * one.scored.values).sum()) for one in measured))
    return fields | {
        "n": len(np.unique(np.concatenate([one.keys for one in measured]))),
        "unscored": unscored,
        "harmless_rate_bounds": statistics.unscored_bounds(safe, scored - safe, unscored),
    }


def compare(a: Measurement, b: Measurement, seed: int) -> list[Comparison]:
    """One comparison for every metric that both systems have, on the prompts (by id) that both were measured on.

    Raises InputError where the suites differ.
    """
    if a.suite != b.suite:
        raise InputError(f"cannot compare {a.system} on {a.suite} with {b.system} on {b.suite}: give one suite")
    found = {name: metric.compare(a, b, seed) for name, metric in METRICS.items() if metric.compared}
    return comparisons(a, b, found)


def comparisons(
    a: Measurement, b: Measurement, found: Mapping[str, Difference | None], seeds: int = 1
) -> list[Comparison]:
    """As results.json has them: what two systems differ by, of the metrics that both have."""
    return [
        Comparison(
            a=a.system,
            b=b.system,
            suite=a.suite,
            metric=name,
            difference=one.value,
            ci=one.interval,
            p_value=one.p_value,
            detectable=one.smallest,
            test=one.test,
            n=one.prompts,
            seeds=seeds,
        )
        for name, one in found.items()
        if one is not None
    ]


def corrected(found: Sequence[Comparison], primary: Primary | None) -> list[Comparison]:
    """The comparisons with the primary one marked, and the p-values of all others corrected for their number (Holm).

    Without a primary one all are exploratory, and corrected. One that cannot be tested counts for nothing.
    """
    marked = [
        row.model_copy(update={"primary": primary is not None and Primary.model_validate(vars(row)) == primary})
        for row in found
    ]
    others = [place for place, row in enumerate(marked) if row.p_value is not None and not row.primary]
    for place, p_value in zip(others, holm([marked[place].p_value or 0.0 for place in others]), strict=True):
        marked[place] = marked[place].model_copy(update={"p_holm": p_value})
    return marked
