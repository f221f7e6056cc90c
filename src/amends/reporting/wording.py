"""How values, differences and findings are worded: the same in the terminal, in Markdown and in the report."""

from typing import NamedTuple

from amends.evaluation.metrics.base import METRICS, Shown
from amends.evaluation.paired_tests import SIGNIFICANCE
from amends.evaluation.results import CategoryRow, Comparison, SystemRow

NOTHING = "–"


class SystemName(NamedTuple):
    """The parts of a system's name as results have it, `method/inference`."""

    method: str
    inference: str

    @classmethod
    def of(cls, system: str) -> "SystemName":
        """Of a name.

        Example:
            >>> SystemName.of("sft/guided")
            SystemName(method='sft', inference='guided')
        """
        method, _, inference = system.rpartition("/")
        return cls(method, inference)


def value_text(row: SystemRow | None, metric: str) -> str:
    """A metric with its interval: `85.0 [76.7, 90.7]`. Of rates in percent, with what is unscored and the length."""
    if row is None:
        return NOTHING
    return estimate_text(row, metric) + (_length(row) if METRICS[metric].of_answers else "")


def estimate_text(row: SystemRow, metric: str) -> str:
    """The same without the length, for a sentence."""
    value, interval, shown = row.value(metric), row.interval(metric), METRICS[metric].shown
    text = NOTHING if value is None else _number(value, shown)
    if interval:
        text += f" [{_number(interval[0], shown)}, {_number(interval[1], shown)}]"
    return text + (_unscored(row, row.answers_a_prompt) if METRICS[metric].of_verdicts else "")


def success_text(row: SystemRow | CategoryRow | None, answers_a_prompt: int) -> str:
    """How many attacks (of a category) succeed, in percent of the scored answers, with the interval."""
    if row is None:
        return NOTHING
    text = NOTHING if row.harmless_rate is None else f"{100 * (1 - row.harmless_rate):.1f}"
    if row.harmless_rate_ci:
        low, high = row.harmless_rate_ci
        text += f" [{100 * (1 - high):.1f}, {100 * (1 - low):.1f}]"
    return text + _unscored(row, answers_a_prompt) + (_length(row) if isinstance(row, SystemRow) else "")


def difference_text(comparison: Comparison) -> str:
    """A difference with its interval and unit: `+8.3 [1.2, 15.1] points`."""
    scale, digits, unit = METRICS[comparison.metric].shown_difference
    text = f"{_signed(comparison.difference * scale, digits)}"
    if comparison.ci:
        low, high = (_signed(bound * scale, digits) for bound in comparison.ci)
        text += f" [{low}, {high}]"
    return f"{text} {unit}"


def detectable_text(comparison: Comparison) -> str:
    """The smallest true difference that would have been found: `7.5 points`; of a rate more than 1 is none at all."""
    if comparison.detectable is None:
        return NOTHING
    metric = METRICS[comparison.metric]
    if metric.kind == "rate" and comparison.detectable > 1:
        return "none"
    shown = metric.shown_difference
    return f"{_number(comparison.detectable, shown)} {shown.unit}"


def p_value_text(p_value: float | None) -> str:
    """A p value with three digits, `<0.001` below them."""
    if p_value is None:
        return NOTHING
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def is_clear(comparison: Comparison) -> bool:
    """Whether it is called a difference: the interval excludes zero and the test, where there is one, agrees.

    The test of any but the primary comparison is the one that is corrected for their number.
    """
    if comparison.ci is None or comparison.ci[0] <= 0 <= comparison.ci[1]:
        return False
    p_value = comparison.p_value if comparison.p_holm is None else comparison.p_holm
    return p_value is None or p_value < SIGNIFICANCE


def finding(comparison: Comparison) -> str:
    """What a comparison says of `a` in plain words."""
    if comparison.ci is None:
        return "too few prompts or seeds to say"
    if is_clear(comparison):
        metric = METRICS[comparison.metric]
        return f"{metric.more if comparison.difference > 0 else metric.less}: the interval excludes zero"
    if comparison.ci[0] <= 0 <= comparison.ci[1]:
        return "no clear difference: the interval includes zero"
    corrected = comparison.p_value is not None and comparison.p_value < SIGNIFICANCE
    what = "p corrected for the number of comparisons" if corrected else "p"
    return f"not clear: the interval excludes zero, but {what} is not below {SIGNIFICANCE}"


def count_text(value: float | None) -> str:
    """A whole number, by thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def _unscored(row: SystemRow | CategoryRow, answers_a_prompt: int) -> str:
    return f", {row.unscored} of {row.n * answers_a_prompt} unscored" if row.unscored else ""


def _length(row: SystemRow) -> str:
    """The mean length of answers, and the share that the token limit ended: what would have come was not seen."""
    cut = f", {100 * row.truncated_rate:.0f}% cut" if row.truncated_rate else ""
    return cut + ("" if row.mean_words is None else f", {row.mean_words:.0f} words")


def _number(value: float, shown: Shown) -> str:
    return f"{shown.factor * value:.{shown.digits}f}"


def _signed(value: float, digits: int) -> str:
    """With a sign, but zero without one."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"
