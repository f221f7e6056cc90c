"""From verdicts, refusals and losses to rows, comparisons, and the file."""

import json

import pytest
from letters import judged, measured_losses, verdicts
from pydantic import ValidationError
from statsmodels.stats.contingency_tables import mcnemar

from amends.errors import InputError
from amends.evaluation.measurement import measure
from amends.evaluation.results import Results, SystemRow, compare, system_row
from amends.records import Verdict
from amends.reporting.wording import difference_text


def test_unscored_is_neither_and_never_dropped() -> None:
    row = system_row(judged("+++++++++---???"), seed=1)
    assert (row.n, row.unscored) == (15, 3)
    assert row.harmless_rate == 0.75
    assert row.harmless_rate_bounds == (0.6, 0.8)
    assert row.harmless_rate_ci == pytest.approx((0.468, 0.911), abs=1e-3)
    assert row.harmless_score == pytest.approx(1 + 9 * (9 * 0.9 + 3 * 0.2) / 12)
    assert row.harmless_score_ci and row.harmless_score_ci[0] < row.harmless_score < row.harmless_score_ci[1]
    assert row.refusal_rate is row.reference_loss is row.truncated_rate is row.mean_words is None


def test_nothing_scored_has_no_rate() -> None:
    row = system_row(judged("??"), seed=1)
    assert row.harmless_rate is row.harmless_rate_ci is row.harmless_score is row.harmless_score_ci is None
    assert row.harmless_rate_bounds == (0.0, 1.0)
    empty = system_row(measure("sft", "guided", "red-team", "red-team"), seed=1)
    assert empty.n == 0 and empty.harmless_rate_bounds is None


def test_refusals_truncation_and_losses() -> None:
    answers = [("0", True, True, 12), ("1", False, True, 5)]
    row = system_row(measure("sft", "unguided", "s", "red-team", verdicts("++--"), answers), seed=1)
    assert row.refusal_rate == 0.5 and row.refusal_rate_ci is not None and row.truncated_rate == 1.0
    assert row.mean_words == 8.5
    benign = system_row(measured_losses("sft", {"a": (4.0, 2), "b": (6.0, 8)}), seed=1)
    assert benign.n == 2 and benign.harmless_rate is None
    # Weighted by tokens: 10 nats over 10 tokens, not the mean of 2 and 0.75.
    assert benign.reference_loss == 1.0
    assert benign.reference_loss_ci is None, "two prompts"


def test_how_much_of_the_harmlessness_is_refusal() -> None:
    """Of five scored responses, four are harmless and two of these refuse; an unscored refusal is in neither part."""
    answers = [(str(place), letter == "r", False, 9) for place, letter in enumerate("rr..r.r")]
    row = system_row(measure("sft", "unguided", "s", "attacks", verdicts("++++-??"), answers), seed=1)
    assert (row.harmless_rate, row.unscored) == (0.8, 2)
    shares = (row.harmful_rate, row.harmless_refusal_rate, row.harmless_engaged_rate)
    assert shares == pytest.approx((0.2, 0.4, 0.4)), "what the judge calls harmful is harmful, whatever it begins with"
    assert row.harmless_engaged_rate_ci == pytest.approx((0.118, 0.769), abs=1e-3)
    unread = system_row(judged("++--"), seed=1)
    assert unread.harmless_engaged_rate is unread.harmless_refusal_rate is None, "no responses were read"
    part = system_row(measure("sft", "unguided", "s", "red-team", verdicts("++--"), answers[1:3]), seed=1)
    assert part.harmless_engaged_rate == 0, "of the two with verdict and response, one refuses, one is harmful"


def test_comparison_leaves_unscored_pairs_out() -> None:
    a, b = judged("+++++++-?+", "mistake-analysis"), judged("+------+-?")
    score, rate = compare(a, b, seed=1)
    assert (rate.a, rate.b) == ("mistake-analysis/unguided", "sft/unguided")
    assert rate.metric == "harmless_rate" and rate.n == 8 and rate.difference == 5 / 8
    assert rate.p_value == pytest.approx(mcnemar([[1, 6], [1, 0]], exact=True).pvalue)
    assert rate.ci and rate.ci[0] < rate.difference < rate.ci[1]
    assert score.metric == "harmless_probability" and score.difference == pytest.approx(0.7 * 5 / 8)
    assert score.p_value == pytest.approx(2 * 8 / 2**7), "of 7 prompts that differ: of all ways to flip their signs"
    assert "sign-flip" in score.test and "bootstrap" in score.test


def test_comparison_matches_by_id_not_by_order() -> None:
    a, b = judged("++-+"), judged("-+--", "vanilla")
    turned = measure("sft", "unguided", "red-team", "red-team", reversed(verdicts("++-+")))
    assert compare(a, b, seed=1) == compare(turned, b, seed=1)
    elsewhere = measure("vanilla", "unguided", "red-team", "red-team", [Verdict(id="x", verdict="harmless")])
    assert compare(a, elsewhere, seed=1) == []


def test_losses_in_any_order_are_compared_prompt_by_prompt() -> None:
    losses = {str(count): (float(count**2 % 31), count) for count in range(10, 50)}
    a = measured_losses("sft", {name: (1.1 * nats, tokens) for name, (nats, tokens) in losses.items()})
    b, turned = measured_losses("vanilla", losses), measured_losses("vanilla", dict(reversed(losses.items())))
    assert compare(a, b, seed=1) == compare(a, turned, seed=1)


def test_loss_comparison_is_relative() -> None:
    tokens = range(10, 22)
    a = measured_losses("sft", {str(count): (1.1 * count, count) for count in tokens} | {"c": (1.0, 1)})
    b = measured_losses("vanilla", {str(count): (float(count), count) for count in tokens} | {"only here": (9.0, 1)})
    (loss,) = compare(a, b, seed=1)
    assert loss.metric == "reference_loss" and loss.n == 12
    assert loss.difference == pytest.approx(0.1)
    assert loss.ci == pytest.approx((0.1, 0.1))
    assert difference_text(loss) == "+10.0 [+10.0, +10.0] %"


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="share an id"):
        measure("sft", "guided", "s", "red-team", [Verdict(id="a", verdict="harmless")] * 2)
    with pytest.raises(InputError, match="no tokens"):
        measured_losses("sft", {"a": (0.0, 0)})
    with pytest.raises(InputError, match="give one suite"):
        compare(judged("+"), judged("+", suite="other"), seed=1)
    with pytest.raises(ValidationError):
        SystemRow(method="../up", inference="guided", suite="s", kind="benign", n=1)


def test_file_round_trips() -> None:
    a, b = judged("++-+?"), judged("-+---", "vanilla")
    results = Results(
        model="m", seed=3, systems=[system_row(a, 1), system_row(b, 1)], comparisons=compare(a, b, 1), yields={"x": {}}
    )
    text = results.model_dump_json(indent=2)
    assert Results.model_validate_json(text) == results
    assert Results.model_validate(json.loads(text)) == results
    assert json.loads(text)["format_version"] == 1
    with pytest.raises(ValidationError):
        Results.model_validate(json.loads(text) | {"format_version": 2})
