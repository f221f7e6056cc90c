"""Results over several seeds: the same systems trained and sampled again, with intervals over prompts and seeds."""

from collections.abc import Sequence

from amends.evaluation.measurement import Measurement
from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import Comparison, SystemRow, build_row, comparisons


def pooled_row(measured: Sequence[Measurement]) -> SystemRow:
    """One system on one suite over seeds, with intervals over prompts and seeds.

    What some seed did not score is estimated for the rate, and counted in `unscored` and in the rate's bounds.
    """
    return build_row(measured, lambda metric, found: metric.estimate_pooled(found))


def pooled_comparisons(a: Sequence[Measurement], b: Sequence[Measurement]) -> list[Comparison]:
    """Every metric that both systems have, seed against the same seed, prompt against the same prompt."""
    found = {name: metric.compare_pooled(a, b) for name, metric in METRICS.items() if metric.compared}
    return comparisons(a[0], b[0], found, len(a))
