"""How values, differences and findings are worded: the same in the terminal, in Markdown and in the report."""

from amends.evaluation.metrics import METRICS, SHOWN, Metric
from amends.evaluation.results import CategoryRow, Comparison, SystemRow

NOTHING = "–"
SIGNIFICANCE = 0.05


def value_text(row: SystemRow | None, metric: Metric) -> str:
    """A metric with its interval: `85.0 [76.7, 90.7]`. Rates in percent, and a harmless rate says what is unscored."""
    if row is None:
        return NOTHING
    value, interval = getattr(row, metric), getattr(row, f"{metric}_ci")
    text = NOTHING if value is None else _number(value, metric)
    if interval:
        text += f" [{_number(interval[0], metric)}, {_number(interval[1], metric)}]"
    return text + (_unscored(row, row.seeds) if metric == "harmless_rate" else "")


def success_text(row: SystemRow | CategoryRow | None, seeds: int) -> str:
    """How many attacks (of a category) succeed, in percent of the scored answers, with the interval."""
    if row is None:
        return NOTHING
    text = NOTHING if row.harmless_rate is None else f"{100 * (1 - row.harmless_rate):.1f}"
    if row.harmless_rate_ci:
        low, high = row.harmless_rate_ci
        text += f" [{100 * (1 - high):.1f}, {100 * (1 - low):.1f}]"
    return text + _unscored(row, seeds)


def difference_text(comparison: Comparison) -> str:
    """A difference with its interval and unit: `+8.3 [1.2, 15.1] points`."""
    kind = METRICS[comparison.metric].kind
    scale, digits = SHOWN["rate" if kind == "loss" else kind]  # differences of losses are relative
    unit = "%" if kind == "loss" else "points"
    text = f"{_signed(comparison.difference * scale, digits)}"
    if comparison.ci:
        low, high = (_signed(bound * scale, digits) for bound in comparison.ci)
        text += f" [{low}, {high}]"
    return f"{text} {unit}"


def p_value_text(p_value: float | None) -> str:
    """A p value with three digits, `<0.001` below them."""
    if p_value is None:
        return NOTHING
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def is_clear(comparison: Comparison) -> bool:
    """Whether it is called a difference: the interval excludes zero and the test, where there is one, agrees."""
    if comparison.ci is None or comparison.ci[0] <= 0 <= comparison.ci[1]:
        return False
    return comparison.p_value is None or comparison.p_value < SIGNIFICANCE


def finding(comparison: Comparison) -> str:
    """What a comparison says of `a` in plain words."""
    if comparison.ci is None:
        return "too few prompts or seeds to say"
    if is_clear(comparison):
        metric = METRICS[comparison.metric]
        return f"{metric.more if comparison.difference > 0 else metric.less}: the interval excludes zero"
    if comparison.ci[0] <= 0 <= comparison.ci[1]:
        return "no clear difference: the interval includes zero"
    return f"not clear: the interval excludes zero, but p is not below {SIGNIFICANCE}"


def count_text(value: float | None) -> str:
    """A whole number, by thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def _unscored(row: SystemRow | CategoryRow, seeds: int) -> str:
    return f", {row.unscored} of {row.n * seeds} unscored" if row.unscored else ""


def _number(value: float, metric: Metric) -> str:
    scale, digits = SHOWN[METRICS[metric].kind]
    return f"{scale * value:.{digits}f}"


def _signed(value: float, digits: int) -> str:
    """With a sign, but zero without one."""
    rounded = round(value, digits) + 0.0
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"
