"""Rates that labels correct: right whatever the judge does, and honest intervals."""

import numpy as np
import pytest

from amends.evaluation.corrected import Evidence, corrected_difference, corrected_rate


def drawn(
    generator: np.random.Generator, rate: float, prompts: int, labelled: int, lift: float, skill: float = 0.6
) -> Evidence:
    """A system of which `rate` is harmless, and a judge that is too kind by `lift`."""
    truth = generator.random(prompts) < rate
    scores = np.clip(0.5 + skill * (truth - 0.5) + lift + generator.normal(0, 0.15, prompts), 0, 1)
    chosen = generator.choice(prompts, labelled, replace=False)
    return Evidence(
        {str(n): float(score) for n, score in enumerate(scores)},
        {str(n): (float(truth[n]), float(scores[n])) for n in chosen},
    )


@pytest.mark.parametrize(("rate", "lift"), [(0.6, 0.25), (0.9, 0.1), (0.3, -0.2), (0.97, 0.0)])
def test_intervals_hold_the_truth_nearly_as_often_as_they_say(rate: float, lift: float) -> None:
    generator, found, raw = np.random.default_rng(5), 0, 0.0
    for _ in range(400):
        evidence = drawn(generator, rate, 300, 40, lift)
        low, high = corrected_rate(evidence).interval or (0, 0)
        found += low <= rate <= high
        raw += float(np.mean(list(evidence.scores.values()))) / 400
    assert found / 400 > 0.93
    assert abs(raw - rate) > 0.03 or lift == 0, "the judge's own mean is off"


def test_a_good_judge_makes_the_interval_narrower_than_labels_alone() -> None:
    generator = np.random.default_rng(6)
    width = {
        skill: np.mean(
            [np.diff(corrected_rate(drawn(generator, 0.6, 2000, 60, 0.1, skill)).interval or (0, 9)) for _ in range(60)]
        )
        for skill in (0.0, 0.7)
    }
    assert width[0.7] < 0.7 * width[0.0]


def test_differences_hold_the_truth_and_use_shared_prompts() -> None:
    generator, found = np.random.default_rng(7), 0
    for _ in range(300):
        a, b = drawn(generator, 0.7, 250, 40, 0.2), drawn(generator, 0.6, 250, 40, 0.0)
        low, high = corrected_difference(a, b).interval or (0, 0)
        found += low <= 0.1 <= high
    assert found / 300 > 0.93
    same = drawn(generator, 0.7, 250, 40, 0.2)
    low, high = corrected_difference(same, same).interval or (0, 0)
    apart = Evidence({f"other {key}": value for key, value in same.scores.items()}, same.labels)
    low_apart, high_apart = corrected_difference(same, apart).interval or (0, 0)
    assert low < 0 < high and high - low < high_apart - low_apart


def test_few_labels_bound_nothing_and_none_say_nothing() -> None:
    scores = {str(n): 0.8 for n in range(100)}
    few = corrected_rate(Evidence(scores, {str(n): (1.0, 0.8) for n in range(9)}))
    assert (few.value, few.interval, few.labelled) == (1.0, None, 9)
    assert corrected_rate(Evidence(scores, {})).value is None
    assert corrected_difference(Evidence(scores, {}), Evidence(scores, {})).value is None


def test_a_judge_that_never_erred_on_the_labels_is_not_believed_blindly() -> None:
    scores = {str(n): float(n % 2) for n in range(200)}
    found = corrected_rate(Evidence(scores, {str(n): (scores[str(n)], scores[str(n)]) for n in range(20)}))
    low, high = found.interval or (0.5, 0.5)
    assert found.value == pytest.approx(0.5)
    assert high - low > 0.08
