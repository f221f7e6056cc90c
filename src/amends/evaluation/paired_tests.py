"""Tests of paired differences, the smallest that they could find, and the correction of many: over scipy, statsmodels.

A test's name is what results say beside its p-value.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

SIGNIFICANCE = 0.05
POWER = 0.8
SIGN_FLIPS = "exact sign-flip test"
PAIRED_T = "paired t test"
MOST_FLIPPED = 13  # differences that are not 0: 2^13 ways to flip their signs are all counted


class Tested(NamedTuple):
    """A p-value that a mean difference is 0, the test's name, and the smallest difference that it would have found."""

    p_value: float
    test: str
    smallest: float | None


def paired_test(differences: ArrayLike) -> Tested:
    """Whether the mean of paired differences [prompts] is 0, two-sided.

    Where few prompts differ, all ways to flip the differences' signs are counted, and prompts that do not differ say
    nothing: a t test calls five of 80 that differ the same way clear, which they are in one case of 16. Elsewhere it is
    the paired t test.
    Source: Fisher 1935; scipy.stats.permutation_test; Student 1908 (scipy.stats.ttest_1samp gives the same).
    """
    values = np.asarray(differences, dtype=np.float64)
    error = standard_error(values)
    smallest = smallest_difference(error, len(values) - 1)
    differing = values[values != 0]
    if len(differing) > MOST_FLIPPED:
        # Where all differ by the same, t has no bound: then the signs alone are counted.
        if not error:
            return Tested(2.0 ** (1 - len(differing)), SIGN_FLIPS, smallest)
        p_value = 2 * scipy.stats.t.sf(abs(values.mean()) / error, len(values) - 1)
        return Tested(float(p_value), PAIRED_T, smallest)
    if len(differing) < 2:
        return Tested(1.0, SIGN_FLIPS, smallest)
    found = scipy.stats.permutation_test(
        (differing, np.zeros(len(differing))),
        lambda one, other, axis: (one - other).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    return Tested(float(found.pvalue), SIGN_FLIPS, smallest)


def standard_error(values: NDArray[np.float64]) -> float:
    """Of the mean of `values` [prompts]; 0 where they do not say."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def smallest_difference(error: float, freedom: float) -> float | None:
    """The true difference that a t test finds in 8 of 10 cases, at .05, two-sided; None where nothing was seen to vary.

    Args:
        error: the standard error of the difference, as it was observed.
        freedom: the test's degrees of freedom.

    Source: the noncentral t distribution; scipy.special.nctdtrinc (statsmodels' TTestPower gives the same).
    """
    if error <= 0 or freedom < 1:
        return None
    bound = scipy.stats.t.ppf(1 - SIGNIFICANCE / 2, freedom)
    return float(error * scipy.special.nctdtrinc(freedom, 1 - POWER, bound))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted for their number, so that one of them is below .05 by chance in at most one of 20 cases.

    Source: Holm 1979; statsmodels.stats.multitest.multipletests.
    """
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    return [float(one) for one in multipletests(list(p_values), SIGNIFICANCE, "holm")[1]]
