"""One comparison is named before the run; all others are corrected; each says what it could have found."""

from pathlib import Path

import numpy as np
import pytest
from letters import judged
from scipy import stats
from statsmodels.stats.power import TTestPower

from amends.config.reading import load_configuration
from amends.errors import ConfigError
from amends.evaluation.paired_tests import paired_test, smallest_difference
from amends.evaluation.results import Comparison, Primary, Results, compare, corrected, system_row
from amends.reporting.headline import headline
from amends.reporting.tables import comparisons_table, differences_table, markdown
from amends.reporting.wording import detectable_text, finding, is_clear
from amends.text.display import for_markdown
from conftest import CONFIGS

QUICKSTART = CONFIGS / "quickstart.yaml"


def comparison(p_value: float | None, **changes: object) -> Comparison:
    return Comparison.model_validate(
        {"a": "x/guided", "b": "y/guided", "suite": "s", "metric": "harmless_probability", "difference": 0.2}
        | {"ci": (0.1, 0.3), "p_value": p_value, "test": "t", "n": 30, "detectable": 0.123}
        | changes
    )


def test_all_but_the_primary_one_are_corrected_for_their_number() -> None:
    rows = [comparison(0.02), comparison(0.02, suite="t"), comparison(0.04, suite="u"), comparison(None, suite="v")]
    named = Primary(a="x/guided", b="y/guided", suite="s", metric="harmless_probability")
    primary, second, third, untested = corrected(rows, named)
    assert primary.primary and primary.p_holm is None and is_clear(primary)
    assert (second.p_holm, third.p_holm) == pytest.approx((0.04, 0.04)) and not second.primary
    assert untested.p_holm is None
    first, other, last, _ = corrected(rows, None)
    assert (first.p_holm, other.p_holm, last.p_holm) == pytest.approx((0.06, 0.06, 0.06)), "three are exploratory"
    assert not is_clear(first)
    assert finding(first) == (
        "not clear: the interval excludes zero, but p corrected for the number of comparisons is not below 0.05"
    )


@pytest.mark.parametrize("spread", [0.2, 1.0])
def test_a_true_difference_of_that_size_is_found_eight_times_of_ten(spread: float) -> None:
    generator = np.random.default_rng(4)
    smallest = smallest_difference(spread / 40**0.5, 39)
    power = TTestPower().solve_power(nobs=40, alpha=0.05, power=0.8)
    assert smallest == pytest.approx(power * spread, rel=0.01)
    found = [paired_test(generator.normal(smallest, spread, 40)).p_value < 0.05 for _ in range(600)]
    assert 0.75 < np.mean(found) < 0.85
    assert smallest_difference(0.0, 39) is None, "nothing was seen to vary"


def test_few_that_differ_are_tested_by_their_signs() -> None:
    found = paired_test(np.array([1.0] * 5 + [0.0] * 75))
    assert found.p_value == pytest.approx(2 / 2**5)
    assert stats.ttest_1samp([1.0] * 5 + [0.0] * 75, 0).pvalue < 0.05, "which would have called it clear"
    assert paired_test(np.zeros(9)).p_value == 1
    many = np.random.default_rng(1).normal(0.3, 1, 50)
    assert paired_test(many).p_value == pytest.approx(stats.ttest_1samp(many, 0).pvalue)


def results(primary: Primary | None) -> Results:
    a, b = judged("+" * 30 + "-" * 10, "mistake-analysis"), judged("+-" * 20, "sft")
    rows = [system_row(one, 0) for one in (a, b)]
    return Results(model="m", seed=0, systems=rows, comparisons=corrected(compare(a, b, 0), primary), primary=primary)


def test_the_primary_comparison_is_said_first_and_no_stronger_than_its_interval() -> None:
    named = Primary(a="mistake-analysis/unguided", b="sft/unguided", suite="red-team", metric="harmless_probability")
    said = headline(results(named)).text
    assert "mistake-analysis compared with sft, both without the reminder" in said
    assert "+17.5" in said and "40 prompts can show " in said
    table = comparisons_table(results(named).comparisons)
    assert table.rows[0][table.headings.index("p (Holm)")] == "primary"
    assert all("found from" in cell for row in differences_table(results(named)).rows for cell in row if "[" in cell)
    assert f"**Found.** {for_markdown(said)}" in markdown(results(named), {})
    assert "exploratory" in headline(results(None)).text
    gone = named.model_copy(update={"a": "other/guided"})
    assert headline(results(gone)).text.startswith("The primary comparison was not measured")


def test_what_could_have_been_found_is_in_the_metrics_unit() -> None:
    assert detectable_text(comparison(0.5)) == "12.3 points"
    assert detectable_text(comparison(0.5, metric="reference_loss")) == "12.3 %"
    assert detectable_text(comparison(0.5, detectable=None)) == "–"
    assert detectable_text(comparison(0.5, detectable=1.2)) == "none", "of so few prompts"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "primary.a=mistake-analysis-pluss",
            "primary.a: 'mistake-analysis-pluss' is not compared; did you mean 'mistake-analysis-plus'",
        ),
        ("primary.b=mistake-analysis-plus", "primary: a and b are the same"),
        ("primary.suite=redtaem", "primary.suite: no such suite 'redtaem'; did you mean 'redteam'"),
        ("primary.suite=benign", "primary.suite: nothing is judged on 'benign'"),
        ("primary.metric=harmless", "primary.metric"),
    ],
)
def test_what_it_names_wrongly_is_refused_at_once(override: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_configuration(QUICKSTART, [override])
    assert said in str(error.value)


def test_an_override_that_leaves_out_what_it_names_leaves_it_out() -> None:
    assert load_configuration(QUICKSTART).primary is not None
    assert load_configuration(QUICKSTART, ["methods=[vanilla, sft]"]).primary is None
    assert load_configuration(QUICKSTART, ["methods=[sft, mistake-analysis-plus]"]).primary is not None
    with pytest.raises(ConfigError, match=r"primary\.a"):
        load_configuration(QUICKSTART, ["methods=[vanilla, sft]", "primary.suite=redteam"])


def test_of_variants_it_names_variants(tmp_path: Path) -> None:
    path = CONFIGS / "ablations.yaml"
    assert load_configuration(path).primary is not None
    with pytest.raises(ConfigError, match="'sft' is not compared"):
        load_configuration(path, ["primary.b=sft"])
    with pytest.raises(ConfigError, match="primary: a variant has none of its own"):
        load_configuration(path, ["variants.whole.primary.a=sft"])
