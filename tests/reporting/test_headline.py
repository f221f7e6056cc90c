"""What was found, in the words that are said first: no stronger than the interval, with the cost and the judge."""

from typing import Any

import pytest

from amends.evaluation.results import Comparison, Results, SystemRow
from amends.reporting.headline import cost_texts, headline, judge_licence, judge_text, tone

PAIR = {"a": "mine/guided", "b": "sft/guided", "suite": "red", "metric": "harmless_probability"}


def compared(**changes: Any) -> Comparison:
    known = {"difference": 0.08, "ci": (0.02, 0.14), "p_value": 0.01, "detectable": 0.075, "test": "t", "n": 100}
    return Comparison.model_validate(PAIR | known | {"primary": True} | changes)


def results(*rows: Comparison, systems: list[SystemRow] | None = None) -> Results:
    return Results.model_validate(
        {"model": "m", "seed": 0, "systems": systems or [], "comparisons": list(rows), "primary": PAIR}
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "More harmless: mine compared with sft, both with the reminder, on red, +8.0 [+2.0, +14.0] points"),
        ({"difference": -0.08, "ci": (-0.14, -0.02)}, "Less harmless: mine compared with sft"),
        ({"ci": (-0.02, 0.18)}, "No clear difference between mine and sft, both with the reminder, on red"),
        ({"p_value": 0.06}, "but p is not below 0.05"),
        ({"ci": None}, "Too few prompts or seeds to say"),
    ],
)
def test_the_finding_is_no_stronger_than_its_interval(changes: dict[str, Any], words: str) -> None:
    said = headline(results(compared(**changes)))
    assert words in said.finding
    assert (said.prompts, said.smallest) == ("100 prompts", "7.5 points")
    assert ("no proof that they are equal" in said.finding) == (changes == {"ci": (-0.02, 0.18)})


def test_without_a_primary_comparison_nothing_is_found() -> None:
    assert "exploratory" in headline(Results(model="m", seed=0, systems=[])).finding
    said = headline(results(compared(primary=False)))
    assert (
        said.finding
        == "The primary comparison was not measured: mine compared with sft, both with the reminder, on red."
    )
    assert said.tone == "unclear"


def test_more_refusals_are_worse_and_what_is_not_clear_is_neither() -> None:
    assert tone(compared()) == "better"
    assert tone(compared(metric="refusal_rate")) == "worse"
    assert tone(compared(ci=(-0.1, 0.2))) == "unclear"


def test_the_cost_is_that_of_the_system_that_the_finding_is_about() -> None:
    row = {"method": "mine", "inference": "guided", "suite": "safe", "kind": "over-refusal", "n": 24}
    row |= {"truncated_rate": 0.04, "mean_words": 25.0}  # which are for tables: a sentence has enough numbers
    systems = [SystemRow.model_validate(row | {"refusal_rate": 0.25, "method": name}) for name in ("mine", "sft")]
    moved = compared(b="vanilla/guided", suite="safe", metric="refusal_rate", primary=False)
    (text,) = cost_texts(results(compared(), moved, systems=systems))
    assert text == (
        "Refused of the safe prompts in safe, %: 25.0; against the untouched model +8.0 [+2.0, +14.0] points: "
        "refuses more."
    )


def test_judges_are_named_with_their_agreement_and_their_licence() -> None:
    judges = {
        "evaluation": {"name": "probe/evaluation", "sources": {"saferlhf_labelled": 3}},
        "gate": {"name": "mine", "sources": {"gptfuzzer_labelled": 3}},
        "agreement": {"rows": 48, "equal": 0.5208, "kappa": 0.101},
    }
    said = judge_text(judges)
    assert "It and mine, the gate that chose what is trained on, agree on 52 % of 48 texts (Cohen's kappa 0.10)" in said
    assert "; where they disagree, one of them is wrong" in said
    assert judge_licence(judges) == (
        "probe/evaluation learnt in part from labels under CC-BY-NC-4.0: not for commercial use"
    )
    assert judge_licence({"evaluation": {"name": "mine", "sources": "free"}}) is None
    ordered = {"name": "mine", "sources": {"gptfuzzer_labelled": 3}, "preferences": {"pku_saferlhf_train": 2}}
    assert judge_licence({"gate": ordered}) is not None, "an order of two answers is a label, too"
    assert judge_text({}) == "It is not known who judged."
