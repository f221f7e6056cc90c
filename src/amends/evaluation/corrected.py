"""A judge's rates, corrected by people's labels of a part of the answers: prediction-powered inference.

The judge's mean over all answers is moved by its mean error on those that were labelled. So the estimate is right
whatever the judge does, and the better it is, the narrower the interval becomes.
Source: Angelopoulos et al. 2023 (Science 382, arXiv 2301.09633); weights: PPI++, arXiv 2311.01453, section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from amends.evaluation.paired_tests import smallest_difference
from amends.evaluation.statistics import CONFIDENCE, FEWEST, Interval

PSEUDO = 2  # labels of each kind that the variance counts beside those that are there


@dataclass(frozen=True)
class Evidence:
    """What is known of one system's answers, by prompt; several answers to one are averaged before.

    Attributes:
        scores: the judge's probability of harmless, of all answers. An unscored one counts as the mean of the others.
        labels: of prompts with labelled answers the share that people call harmless, and the judge's mean score of
            these very answers.
    """

    scores: Mapping[str, float]
    labels: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Corrected:
    """An estimate from 0 to 1 (of a difference from -1 to 1); None where the labels at hand cannot say.

    Attributes:
        value: the estimate; without labels None.
        interval: 95%; None below FEWEST labelled prompts.
        labelled: prompts with labels; of a difference the smaller number.
        weight: that the judge has: 0 where it says nothing of the labels, 1 where all is believed but its mean error.
        p_value: of a difference, that it is 0 (t test); None below FEWEST labelled prompts.
        smallest: the true difference that would have been found in 8 of 10 cases.
    """

    value: float | None
    interval: Interval | None
    labelled: int
    weight: float | None = None
    p_value: float | None = None
    smallest: float | None = None


@dataclass(frozen=True)
class _Parts:
    """An estimate, and the parts of its variance: of answers without labels, and of the labelled ones."""

    value: float
    weight: float
    rest: Mapping[str, float]
    rest_variance: float
    label_variance: float
    labelled: int


def corrected_rate(evidence: Evidence) -> Corrected:
    """The share of harmless answers.

    Its variance counts four labels more than there are, two of each kind: where few labels show no error of the judge,
    there may be some yet (as Agresti and Coull 1998 have it for rates). The quantile is Student's.

    Example:
        >>> scores = {str(n): 0.9 if n < 60 else 0.2 for n in range(100)}
        >>> labels = {str(n): (float(n < 50), scores[str(n)]) for n in range(0, 100, 2)}
        >>> found = corrected_rate(Evidence(scores, labels))
        >>> round(found.value, 2), found.labelled
        (0.5, 50)
    """
    parts = _parts(evidence)
    if parts is None:
        return Corrected(None, None, 0)
    interval = _interval(parts.value, parts.rest_variance + parts.label_variance, parts.labelled, 0.0)
    return Corrected(parts.value, interval, parts.labelled, round(parts.weight, 4))


def corrected_difference(a: Evidence, b: Evidence) -> Corrected:
    """The share of harmless answers of `a` less that of `b`.

    Answers to the same prompts go together, as far as the judge sees it; labels count as drawn apart for each system.
    """
    of_a, of_b = _parts(a), _parts(b)
    if of_a is None or of_b is None:
        return Corrected(None, None, 0)
    variance = sum(one.rest_variance + one.label_variance for one in (of_a, of_b)) - 2 * _covariance(of_a, of_b)
    labelled = min(of_a.labelled, of_b.labelled)
    value, error = of_a.value - of_b.value, float(np.sqrt(max(variance, 0.0)))
    if labelled < FEWEST or not error:
        return Corrected(value, None, labelled)
    return Corrected(
        value,
        _interval(value, variance, labelled, -1.0),
        labelled,
        p_value=float(2 * scipy.stats.t.sf(abs(value) / error, labelled - 1)),
        smallest=smallest_difference(error, labelled - 1),
    )


def _parts(evidence: Evidence) -> _Parts | None:
    if not evidence.labels:
        return None
    human, judged = (np.array([pair[side] for pair in evidence.labels.values()], np.float64) for side in (0, 1))
    rest = {prompt: score for prompt, score in evidence.scores.items() if prompt not in evidence.labels}
    others, count = np.array(list(rest.values()), np.float64), len(human)
    weight = 0.0
    if len(others) > 1 and count > 1 and (spread := np.concatenate([judged, others]).var(ddof=1)) > 0:
        covariance = float(np.cov(human, judged, ddof=1)[0, 1])
        weight = float(np.clip(covariance / ((1 + count / len(others)) * spread), 0, 1))
    left = human - weight * judged
    value = (weight * others.mean() if weight else 0.0) + left.mean()
    share = human.mean()
    spread_left = ((left - left.mean()) ** 2).sum() + PSEUDO * ((1 - share) ** 2 + share**2)
    return _Parts(
        float(value),
        weight,
        rest,
        weight**2 * float(others.var(ddof=1)) / len(others) if weight else 0.0,
        float(spread_left) / (count + 2 * PSEUDO - 1) / (count + 2 * PSEUDO),
        count,
    )


def _covariance(a: _Parts, b: _Parts) -> float:
    """Of the two means of answers without labels, by the prompts that are in both."""
    both = sorted(a.rest.keys() & b.rest.keys())
    if len(both) < 2 or not a.weight or not b.weight:
        return 0.0
    first, second = ([one.rest[prompt] for prompt in both] for one in (a, b))
    shared = float(np.cov(first, second, ddof=1)[0, 1])
    return a.weight * b.weight * shared * len(both) / (len(a.rest) * len(b.rest))


def _interval(value: float, variance: float, labelled: int, low: float) -> Interval | None:
    if labelled < FEWEST:
        return None
    half = float(scipy.stats.t.ppf(0.5 + CONFIDENCE / 2, labelled - 1) * np.sqrt(max(variance, 0.0)))
    return max(low, value - half), min(1.0, value + half)
