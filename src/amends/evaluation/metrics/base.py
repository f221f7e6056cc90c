"""What a metric is, and the registry of all of them: where it is from, how it is compared, shown and worded."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from amends.evaluation.columns import Column
from amends.evaluation.measurement import Measurement
from amends.evaluation.statistics import Interval
from amends.evaluation.suites.base import SUITE_KINDS, SuiteKind
from amends.prompts import Language
from amends.records import Response
from amends.registry import NameIn, Registry

Estimated = tuple[float | None, Interval | None]
"""A value and its interval; None where the numbers cannot say."""


class Difference(NamedTuple):
    """Of two systems on the same `prompts`. `smallest` is the true difference that would have been found (power .8)."""

    value: float
    interval: Interval | None
    test: str
    prompts: int
    p_value: float | None = None
    smallest: float | None = None


class Shown(NamedTuple):
    """By what a value is multiplied to be shown, its digits, and the unit of a difference."""

    factor: int
    digits: int
    unit: str = "points"


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric(ABC):
    """A metric. `Rate`, `Score` and `Loss` (metrics.kinds) say how one is estimated and compared.

    Attributes:
        name: in results.json, where `NAME_ci` is its interval.
        title: with the unit.
        more, less: what a clear difference upwards or downwards is called.
        of: its numbers by prompt, of a measurement; where `of_answer` is given these are its.
        of_answer: its number for one answer, None where it has none; it is read once, when an answer is measured.
        on: whether it is measured on a kind of suites.
        headline: kinds of suites that are there to tell it, beside those that say so; elsewhere it is diagnostic.
        more_is_better: where that is known, for plots of what safety costs.
        of_verdicts: whether responses without a verdict are said beside it.
        of_answers: whether the answers' length, and how many were cut, are said beside it.
        compared: whether systems are compared by it; not where another metric says the same.
    """

    name: str
    title: str
    more: str
    less: str
    of: Callable[[Measurement], Column] | None = None
    of_answer: Callable[[Response, Language], float | None] | None = None
    on: Callable[[SuiteKind], bool] = lambda kind: True
    headline: tuple[str, ...] = ()
    more_is_better: bool = True
    of_verdicts: bool = False
    of_answers: bool = False
    compared: bool = True

    kind: ClassVar[str]
    shown: ClassVar[Shown]
    shown_difference: ClassVar[Shown]

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return f"{self.kind}, {self.title}"

    def column(self, measurement: Measurement) -> Column:
        """Its numbers by prompt; none where it is not measured."""
        if not self.on(SUITE_KINDS[measurement.kind]):
            return Column()
        return self.of(measurement) if self.of else measurement.more.get(self.name, Column())

    def is_headline(self, kind: str) -> bool:
        """Whether the main table shows it on a kind of suites."""
        return kind in self.headline or self.name in SUITE_KINDS[kind].headlines

    @abstractmethod
    def estimate(self, measurement: Measurement, seed: int) -> Estimated:
        """Of one system on one suite; `seed` draws the resamples."""

    @abstractmethod
    def estimate_pooled(self, measured: Sequence[Measurement]) -> Estimated:
        """Of one system on one suite, measured once a seed, over prompts and seeds."""

    @abstractmethod
    def compare(self, a: Measurement, b: Measurement, seed: int) -> Difference | None:
        """a - b on the prompts that both were measured on."""

    @abstractmethod
    def compare_pooled(self, a: Sequence[Measurement], b: Sequence[Measurement]) -> Difference | None:
        """a - b, seed against the same seed, prompt against the same prompt."""


METRICS: Registry[Metric] = Registry(
    "metric", "amends.evaluation.metrics", "amends.metrics", "amends.register_metric(Rate(...)), or Score, or Loss"
)
"""In the order of results.json's comparisons and of the main table's columns."""
MetricName = Annotated[str, NameIn(METRICS)]


def register_metric(metric: Any) -> Any:
    """Adds a metric, which results then have. Raises InputError where its name is taken.

    Example:
        register_metric(
            Rate(
                name="apology_rate",
                title="apologises %",
                more="apologises more",
                less="apologises less",
                of_answer=lambda response, language: "sorry" in response.response.lower(),
                headline=("red-team",),
            )
        )
    """
    return METRICS.register(metric.name, metric)
