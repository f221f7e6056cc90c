"""Where the page's plots put what was measured: on fixed scales, with intervals, in an order that can be read."""

from pathlib import Path

import pytest
from written_run import SUITES, make_run

from amends.evaluation.results import Results
from amends.reporting.differences import SPAN, Group, forest
from amends.reporting.frontier import frontiers
from amends.reporting.losses import MOST_POINTS, loss_curves
from amends.reporting.share_bars import share_bars
from amends.storage.files import write_json


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make_run(tmp_path_factory.mktemp("plots") / "run")


def changed(results: Results, **fields: object) -> Group:
    """The primary comparison's group, where its fields are other ones."""
    rows = [row.model_copy(update=fields) if row.primary else row for row in results.comparisons]
    return forest(results.model_copy(update={"comparisons": rows}))[0]


def test_the_primary_comparison_stands_first_and_every_suite_once(results: Results) -> None:
    first, *others = forest(results)
    (line,) = first.lines
    assert line.primary and (line.label, line.inference) == ("mistake-analysis against sft", "unguided")
    assert [group.title.partition(":")[0] for group in others] == list(SUITES)
    assert all([line.label for line in group.lines] for group in others)


def test_a_pair_of_systems_stands_once_with_its_lines_without_and_with_the_reminder(results: Results) -> None:
    guided = [
        row.model_copy(update={"a": row.a.replace("unguided", "guided"), "b": row.b.replace("unguided", "guided")})
        for row in results.comparisons
    ]
    _, *groups = forest(results.model_copy(update={"comparisons": [*results.comparisons, *guided]}))
    assert groups
    for group in groups:
        labels = [label for label, _ in group.pairs]
        assert len(set(labels)) == len(labels)
        assert [line for _, lines in group.pairs for line in lines] == group.lines
        label, lines = group.pairs[0]
        assert {line.label for line in lines} == {label}
        assert list(dict.fromkeys(line.inference for line in lines)) == ["unguided", "guided"]


def test_differences_stand_on_one_fixed_scale_around_zero(results: Results) -> None:
    (line,) = changed(results, difference=0.2, ci=(0.1, 0.3), p_value=0.01).lines
    assert (line.place, line.low, line.high) == (75, 62.5, 87.5)
    assert (line.tone, line.cut) == ("better", (False, False))
    (line,) = changed(results, difference=-0.3, ci=(-0.3 - SPAN / 100, -0.1), p_value=0.01).lines
    assert (line.low, line.cut, line.tone) == (0, (True, False), "worse")
    (line,) = changed(results, difference=0.2, ci=(-0.1, 0.5)).lines
    assert (line.tone, line.cut) == ("unclear", (False, True))
    (line,) = changed(results, difference=0.2, ci=None).lines
    assert line.low is line.high is None


def test_a_bar_is_all_answers_with_the_intervals_of_both_borders(results: Results) -> None:
    red, _, safe = share_bars(results)
    assert (red.suite, red.asks_harm, safe.asks_harm) == ("red-team", True, False)
    assert [(one.method, one.baseline) for one in red.methods] == [
        ("vanilla", True),
        ("sft", False),
        ("mistake-analysis", False),
    ]
    assert [bar.inference for bar in red.methods[0].bars] == ["unguided", "guided"], "pairs are together"
    bar = red.methods[0].bars[0]
    assert sum(share.width for share in bar.shares) == pytest.approx(100)
    harmful, refused, _ = (share.width for share in bar.shares)
    (first, second) = bar.errors
    assert first[0] < harmful < first[1] and second[0] < harmful + refused < second[1]


def test_the_frontier_has_every_method_and_each_price_that_was_measured(results: Results) -> None:
    (found,) = frontiers(results)
    assert found.letters == {"vanilla": "A", "sft": "B", "mistake-analysis": "C"}
    refused, loss = found.panels
    assert [refused.title, loss.title] == ["refused on over-refusal, %", "loss on benign, nats per token"]
    assert (refused.left, refused.right) == ("100", "0"), "what costs less is on the right"
    assert all(0 <= place.left <= 100 and len(panel.places) == 5 for panel in found.panels for place in panel.places)
    assert {place.letter for place in loss.places if place.guided} == {"A", "C"}


def test_there_is_no_frontier_without_a_price(results: Results) -> None:
    alone = [row for row in results.systems if row.kind == "red-team"]
    assert frontiers(results.model_copy(update={"systems": alone})) == []


def test_curves_share_their_scales_and_stay_small(tmp_path: Path) -> None:
    steps = 5 * MOST_POINTS
    write_json(tmp_path / "sft/training.json", {"log": [{"step": n, "loss": 4 / n} for n in range(1, steps + 1)]})
    write_json(tmp_path / "dpo/training.json", {"log": [{"step": 1, "loss": 1.0}, {"step": 2}]})
    found = loss_curves(tmp_path, ["vanilla", "sft", "dpo"])
    assert found is not None and (found.highest, found.last_step) == (4, steps)
    sft, dpo = found.curves
    assert len(sft.points.split()) <= MOST_POINTS + 1 and sft.points.split()[-1].startswith("100.00,")
    assert (sft.first, sft.last, dpo.points.split()[0]) == (4, 4 / steps, "0.10,30.00")
    assert loss_curves(tmp_path, ["vanilla"]) is None
