"""Results over several seeds: means, intervals that the seeds' spread widens, losses to first order."""

import numpy as np
import pytest

from amends.evaluation.columns import Column
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.metrics.kinds import TEST
from amends.evaluation.results import Comparison
from amends.evaluation.seeds import pooled_comparisons, pooled_row
from amends.records import ReferenceLoss, Verdict


def judged(method: str, letters: str) -> Measurement:
    """`+` harmless, `r` harmless but a refusal, `-` harmful and a refusal, `?` unscored."""
    labels = {"+": "harmless", "r": "harmless", "-": "harmful", "?": "unscored"}
    scores = {"harmless": 0.9, "harmful": 0.1}
    rows = [
        Verdict(id=str(place), verdict=labels[letter], score=scores.get(labels[letter]))  # type: ignore[arg-type]
        for place, letter in enumerate(letters)
    ]
    answers = [(str(place), letter in "-r", False, 9) for place, letter in enumerate(letters)]
    return measure(method, "guided", "s", "red-team", rows, answers)


def losses(method: str, nats: list[float]) -> Measurement:
    rows = [ReferenceLoss(id=str(place), nats=value, tokens=10) for place, value in enumerate(nats)]
    return measure(method, "guided", "b", "benign", losses=rows)


def compared_rates(a: list[Measurement], b: list[Measurement]) -> Comparison:
    (found,) = [one for one in pooled_comparisons(a, b) if one.metric == "harmless_rate"]
    return found


def test_a_pooled_row_has_the_seeds_means_and_says_how_many_they_are() -> None:
    row = pooled_row([judged("sft", "++--"), judged("sft", "+++-")])
    assert (row.seeds, row.n, row.unscored) == (2, 4, 0)
    assert row.harmless_rate == 5 / 8
    assert row.harmless_score == pytest.approx(1 + 9 * (5 * 0.9 + 3 * 0.1) / 8)
    assert row.refusal_rate == 3 / 8
    assert row.harmless_rate_ci and row.harmless_rate_ci[0] < 5 / 8 < row.harmless_rate_ci[1]
    assert row.harmless_rate_ci[0] >= 0
    assert row.harmless_rate_ci[1] <= 1
    assert row.reference_loss is None


def test_harmless_without_refusing_is_pooled_like_the_harmless_rate() -> None:
    row = pooled_row([judged("sft", "r++-"), judged("sft", "++--")])
    assert (row.harmless_rate, row.harmless_engaged_rate) == (5 / 8, 4 / 8)
    assert row.harmless_engaged_rate_ci and row.harmless_engaged_rate_ci[0] < 0.5 < row.harmless_engaged_rate_ci[1]
    holed = pooled_row([judged("sft", "++-?"), judged("sft", "++--"), judged("sft", "++--")])
    assert (holed.unscored, holed.harmless_engaged_rate) == (1, 0.5), "estimated, not counted as refused"


def test_what_a_seed_did_not_score_is_estimated_counted_and_bounded() -> None:
    row = pooled_row([judged("sft", "++-?"), judged("sft", "+?--"), judged("sft", "++--")])
    assert (row.n, row.unscored) == (4, 2)
    assert row.harmless_rate == pytest.approx(0.5), "each prompt is always or never answered harmlessly"
    assert row.harmless_rate_bounds == (5 / 12, 7 / 12)
    steep = pooled_row([judged("sft", "+++?"), judged("sft", "---+")])
    assert steep.harmless_rate == 5 / 8, "an estimate is at most harmless, so that the rate is within its bounds"
    (found,) = [
        one
        for one in pooled_comparisons([judged("a", "+?-+")] * 2, [judged("b", "-+?-")] * 2)
        if one.metric == "harmless_rate"
    ]
    assert (found.n, found.difference) == (2, 1), "prompts on which no seed scored both"


def test_seeds_that_disagree_widen_the_interval() -> None:
    vanilla = [judged("vanilla", "+-" * 20)] * 3
    steady = compared_rates([judged("sft", "++-+" * 10)] * 3, vanilla)
    spread = compared_rates(
        [judged("sft", "++++" * 10), judged("sft", "++-+" * 10), judged("sft", "+--+" * 10)], vanilla
    )
    assert steady.difference == spread.difference == pytest.approx(0.25)
    assert steady.ci and spread.ci
    assert spread.ci[1] - spread.ci[0] > 1.5 * (steady.ci[1] - steady.ci[0])
    assert steady.p_value and spread.p_value
    assert steady.p_value < 0.1 < spread.p_value
    assert (spread.n, spread.seeds, spread.test) == (40, 3, TEST)


def test_losses_are_compared_relatively() -> None:
    base = [20.0, 30.0, 10.0, 40.0]
    a = [losses("sft", [1.1 * value for value in base]) for _ in range(3)]
    b = [losses("vanilla", base) for _ in range(3)]
    (found,) = pooled_comparisons(a, b)
    assert found.metric == "reference_loss"
    assert found.difference == pytest.approx(0.1)
    assert found.ci is None, "nothing varies: an interval without width would read as certainty"
    row = pooled_row(b)
    assert row.reference_loss == 2.5
    assert row.reference_loss_ci and np.mean(row.reference_loss_ci) == pytest.approx(2.5)


def test_losses_are_per_token() -> None:
    """Twice the nats over twice the tokens is no difference."""
    twice = [
        measure("coh", "guided", "b", "benign", losses=[ReferenceLoss(id="0", nats=40, tokens=20)]),
        measure("coh", "guided", "b", "benign", losses=[ReferenceLoss(id="0", nats=44, tokens=20)]),
    ]
    (found,) = pooled_comparisons(twice, [losses("sft", [20.0])] * 2)
    assert found.difference == pytest.approx(0.05)


@pytest.mark.parametrize("of_seeds", [0.01, 0.05])
def test_intervals_of_losses_per_token_cover(of_seeds: float) -> None:
    """Long answers lose less a token, so that weights count; a is 5% above b. Of 500 draws .95 to .99 were inside."""
    generator, draws, lengths, prompts = np.random.default_rng(3), 250, np.arange(5, 40), 50
    keys, truth, covered = np.arange(prompts, dtype=np.uint64), np.sqrt(lengths).sum() * 8 / lengths.sum(), np.zeros(2)
    for _ in range(draws):
        tokens = generator.choice(lengths, prompts).astype(float)
        nats = 8 * np.sqrt(tokens) * generator.gamma(8, 1 / 8, prompts)
        b, a = (
            [
                Measurement("m", "guided", "s", "benign", nats=Column(keys, nats * one), tokens=Column(keys, tokens))
                for one in level * (1 + generator.normal(0, of_seeds, (3, 1)) + generator.normal(0, 0.05, (3, prompts)))
            ]
            for level in (1, 1.05)
        )
        for place, (found, known) in enumerate(
            ((pooled_row(b).reference_loss_ci, truth), (pooled_comparisons(a, b)[0].ci, 0.05))
        ):
            assert found
            covered[place] += found[0] <= known <= found[1]
    assert (covered / draws >= 0.91).all(), "250 draws of .95 fall below it once in 400 times"


def test_nothing_in_common_is_no_comparison() -> None:
    assert pooled_comparisons([judged("a", "++")] * 2, [losses("b", [1.0])] * 2) == []


def test_what_a_prompt_adds_to_an_auroc_is_pooled_as_it_is() -> None:
    """One prompt's part may lie outside of 0 to 1: held within, the mean of equal seeds would not be theirs."""
    parts = [-0.2, 0.1, 0.5, 1.3, 0.8]
    alike = [_verdicts("a", parts)] * 2
    row = pooled_row(alike)
    assert row.value("verdict_auroc") == pytest.approx(np.mean(parts))
    found = {one.metric: one for one in pooled_comparisons(alike, [_verdicts("b", parts[::-1])] * 2)}
    assert found["verdict_auroc"].difference == pytest.approx(0)
    (moved,) = pooled_comparisons(alike, [_verdicts("b", [0.0] * 4 + [-1.5])] * 2)
    assert moved.difference == pytest.approx(np.mean(parts) + 0.3)


def _verdicts(method: str, parts: list[float]) -> Measurement:
    rows = [(str(place), 0, part) for place, part in enumerate(parts)]
    return measure(method, "unguided", "v", "verdict", more={"verdict_auroc": rows})


def test_where_nothing_differs_an_interval_still_has_a_width() -> None:
    never, always = [judged("a", "-" * 20)] * 2, [judged("b", "-" * 20)] * 2
    row = pooled_row(never)
    assert row.harmless_rate == 0
    assert row.harmless_rate_ci == pytest.approx((0, 0.161), abs=0.001), "Wilson's, of 0 of 20"
    found = compared_rates(never, always)
    assert (found.difference, found.p_value) == (0, 1)
    assert found.ci
    assert found.ci[0] < -0.05 < 0.05 < found.ci[1]


def test_a_difference_of_rates_is_at_most_one() -> None:
    always = compared_rates([judged("a", "++++")] * 2, [judged("b", "----")] * 2)
    assert always.difference == 1
    assert always.p_value == 0.125, "McNemar's of one seed: four prompts are few"
    holed = [judged("a", "+???"), judged("a", "++++")]
    assert compared_rates(holed, [judged("b", "----")] * 2).p_value == 0.125, "of the seed that scored most"
    a = [judged("a", "+" * 10), judged("a", "-" * 10)]
    b = [judged("b", "-+" * 5)] * 2
    found = compared_rates(a, b)
    assert found.ci == (-1, 1)
