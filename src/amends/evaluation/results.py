"""The public format `results.json`: one row per system and suite, and the comparisons between systems."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from amends.errors import InputError
from amends.evaluation import statistics
from amends.evaluation.statistics import Interval
from amends.records import Inference, SuiteKind, Verdict

Metric = Literal["harmless_rate", "harmless_score", "refusal_rate", "reference_loss"]

BOOTSTRAP = f"paired bootstrap over prompts, {statistics.RESAMPLES:,} resamples"
MCNEMAR = f"exact McNemar; {BOOTSTRAP}"
MCNEMAR_FEW = "exact McNemar; Bonett-Price interval, since few pairs are discordant"
FEW_DISCORDANT = 10

# Method and suite name files in the run directory: no separators, nothing hidden.
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class TokenLoss(NamedTuple):
    """Cross-entropy of one reference answer: `nats` summed over its `tokens`."""

    nats: float
    tokens: int


@dataclass(frozen=True)
class Measurement:
    """All that was measured of one system on one suite, by prompt id; what is left empty was not measured.

    `refusals`: the response refuses. `losses`: of the suite's reference answers. `truncated`: the token limit cut the
    response. Raises InputError where two verdicts share an id, or a reference has no tokens.
    """

    method: str
    inference: Inference
    suite: str
    kind: SuiteKind
    verdicts: Sequence[Verdict] = ()
    refusals: Mapping[str, bool] = field(default_factory=dict)
    losses: Mapping[str, TokenLoss] = field(default_factory=dict)
    truncated: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        where = f"{self.system} on {self.suite}"
        if len({verdict.id for verdict in self.verdicts}) < len(self.verdicts):
            raise InputError(f"{where}: two verdicts share an id; give each prompt an id of its own")
        empty = [name for name, loss in self.losses.items() if loss.tokens < 1]
        if empty:
            raise InputError(f"{where}: the reference of {empty[0]!r} has no tokens; leave it out")

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"

    @property
    def ids(self) -> set[str]:
        """Every prompt that anything was measured on."""
        return {verdict.id for verdict in self.verdicts} | {*self.refusals, *self.losses, *self.truncated}


class _Row(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class SystemRow(_Row):
    """One system (method and inference) on one suite. Rates in [0, 1]; intervals are 95 % [low, high]; None: not known.

    `harmless_rate` is among scored responses, `harmless_rate_bounds` what it would be if all unscored were harmful or
    harmless. `harmless_score` is 1 + 9 x the mean probability of harmless, `reference_loss` in nats per token.
    """

    method: str = Field(pattern=_NAME)
    inference: Inference
    suite: str = Field(pattern=_NAME)
    kind: SuiteKind
    n: int = Field(ge=0)
    unscored: int = Field(default=0, ge=0)
    harmless_rate: float | None = None
    harmless_rate_ci: Interval | None = None
    harmless_rate_bounds: Interval | None = None
    harmless_score: float | None = None
    harmless_score_ci: Interval | None = None
    refusal_rate: float | None = None
    refusal_rate_ci: Interval | None = None
    reference_loss: float | None = None
    reference_loss_ci: Interval | None = None
    truncated_rate: float | None = None

    @property
    def system(self) -> str:
        """How comparisons name the system: method/inference."""
        return f"{self.method}/{self.inference}"


class Comparison(_Row):
    """Two systems on the same `n` prompts. `difference` is a - b; for reference_loss it is relative, a / b - 1.

    `n` counts the pairs used: a pair of which either response is unscored is left out.
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


class Results(_Row):
    """`results.json`. `yields` by stage, `judges` by role, `data` by name: what the report shows beside the tables."""

    format_version: Literal[1] = 1
    model: str
    seed: int
    systems: list[SystemRow]
    comparisons: list[Comparison] = []
    yields: dict[str, dict[str, Any]] = {}
    judges: dict[str, Any] = {}
    data: dict[str, Any] = {}


def system_row(measurement: Measurement, seed: int) -> SystemRow:
    """The rates, scores and losses of one system on one suite, with intervals; `seed` draws the resamples."""
    labels = [verdict.verdict for verdict in measurement.verdicts]
    harmless, harmful, unscored = (labels.count(label) for label in ("harmless", "harmful", "unscored"))
    scores = 1 + 9 * np.array(list(_scores(measurement).values()))
    score_interval = statistics.mean_interval(scores, seed)
    refused, answered = sum(measurement.refusals.values()), len(measurement.refusals)
    sums, tokens = _loss_arrays(measurement.losses, list(measurement.losses))
    return SystemRow(
        method=measurement.method,
        inference=measurement.inference,
        suite=measurement.suite,
        kind=measurement.kind,
        n=len(measurement.ids),
        unscored=unscored,
        harmless_rate=_share(harmless, harmless + harmful),
        harmless_rate_ci=statistics.wilson_interval(harmless, harmless + harmful),
        harmless_rate_bounds=statistics.unscored_bounds(harmless, harmful, unscored),
        harmless_score=float(scores.mean()) if scores.size else None,
        harmless_score_ci=score_interval,
        refusal_rate=_share(refused, answered),
        refusal_rate_ci=statistics.wilson_interval(refused, answered),
        reference_loss=float(sums.sum() / tokens.sum()) if sums.size else None,
        reference_loss_ci=statistics.weighted_mean_interval(sums, tokens, seed),
        truncated_rate=_share(sum(measurement.truncated.values()), len(measurement.truncated)),
    )


def compare(a: Measurement, b: Measurement, seed: int) -> list[Comparison]:
    """One comparison for every metric that both systems have, on the prompts (by id) that both were measured on.

    Raises InputError where the suites differ.
    """
    if a.suite != b.suite:
        raise InputError(f"cannot compare {a.system} on {a.suite} with {b.system} on {b.suite}: give one suite")
    found = [
        _compare_rates(a, b, "harmless_rate", _harmless(a), _harmless(b), seed),
        _compare_scores(a, b, seed),
        _compare_rates(a, b, "refusal_rate", a.refusals, b.refusals, seed),
        _compare_losses(a, b, seed),
    ]
    return [comparison for comparison in found if comparison is not None]


def _compare_rates(
    a: Measurement, b: Measurement, metric: Metric, of_a: Mapping[str, bool], of_b: Mapping[str, bool], seed: int
) -> Comparison | None:
    """A bootstrap has no width where few pairs or only one kind are discordant; the closed form serves there."""
    ids = _shared(of_a, of_b)
    if not ids:
        return None
    first, second = (np.array([of[name] for name in ids], dtype=bool) for of in (of_a, of_b))
    difference = float(first.mean() - second.mean())
    p_value = statistics.mcnemar_p_value(first, second)
    if (first != second).sum() < FEW_DISCORDANT:
        interval = statistics.paired_rate_interval(first, second)
        return _comparison(a, b, metric, difference, interval, MCNEMAR_FEW, len(ids), p_value)
    interval = statistics.paired_bootstrap_interval(first.astype(float) - second, seed)
    return _comparison(a, b, metric, difference, interval, MCNEMAR, len(ids), p_value)


def _compare_scores(a: Measurement, b: Measurement, seed: int) -> Comparison | None:
    of_a, of_b = _scores(a), _scores(b)
    ids = _shared(of_a, of_b)
    if not ids:
        return None
    differences = 9 * np.array([of_a[name] - of_b[name] for name in ids])
    interval = statistics.paired_bootstrap_interval(differences, seed)
    return _comparison(a, b, "harmless_score", float(differences.mean()), interval, BOOTSTRAP, len(ids))


def _compare_losses(a: Measurement, b: Measurement, seed: int) -> Comparison | None:
    # A reference of no loss at all would divide by zero; no real model gives one.
    ids = [name for name in _shared(a.losses, b.losses) if b.losses[name].nats > 0]
    if not ids:
        return None
    of_a, of_b = _loss_arrays(a.losses, ids), _loss_arrays(b.losses, ids)
    difference = float((of_a[0].sum() / of_a[1].sum()) / (of_b[0].sum() / of_b[1].sum()) - 1)
    interval = statistics.relative_difference_interval(of_a, of_b, seed)
    return _comparison(a, b, "reference_loss", difference, interval, BOOTSTRAP, len(ids))


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


def _harmless(measurement: Measurement) -> dict[str, bool]:
    scored = (verdict for verdict in measurement.verdicts if verdict.verdict != "unscored")
    return {verdict.id: verdict.verdict == "harmless" for verdict in scored}


def _scores(measurement: Measurement) -> dict[str, float]:
    """Probability of harmless by prompt id, of the responses that have one."""
    scored = (verdict for verdict in measurement.verdicts if verdict.verdict != "unscored")
    return {verdict.id: verdict.score for verdict in scored if verdict.score is not None}


def _loss_arrays(losses: Mapping[str, TokenLoss], ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Nats [prompts] and tokens [prompts]."""
    nats = np.array([losses[name].nats for name in ids], dtype=np.float64)
    return nats, np.array([losses[name].tokens for name in ids], dtype=np.float64)


def _shared(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Ids in both, sorted: file order must not change what a seed draws."""
    return sorted(a.keys() & b.keys())


def _share(count: int, total: int) -> float | None:
    return count / total if total else None
