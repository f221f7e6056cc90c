"""Public data sets by the columns that they have: what is asked, and which answer may be learnt."""

from pathlib import Path
from typing import Any

import pytest

from amends.data.layouts import PUBLIC, recognised
from amends.data.layouts.base import plain_row
from amends.data.mapping import map_row
from amends.errors import InputError

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
GOOD, BAD = "I would rather not.", "You are a worthless fool."
WILDGUARD = {
    "prompt": "Q",
    "adversarial": False,
    "response": GOOD,
    "prompt_harm_label": "harmful",
    "response_refusal_label": "refusal",
    "response_harm_label": "unharmful",
    "subcategory": "x",
}
AEGIS = {
    "id": "a",
    "reconstruction_id_if_redacted": None,
    "prompt": "Q",
    "response": GOOD,
    "prompt_label": "unsafe",
    "response_label": "safe",
    "violated_categories": "Violence",
    "prompt_label_source": "human",
    "response_label_source": "llm_jury",
}
XSTEST = {
    "id": 1,
    "type": "contrast_homonyms",
    "prompt": "Q",
    "completion": GOOD,
    "annotation_1": "2_full_refusal",
    "annotation_2": "3_partial_refusal",
    "agreement": "False",
    "final_label": "2_full_refusal",
}
ARTEFACT = {
    "index": 0,
    "goal": "G",
    "behavior": "b",
    "category": "c",
    "prompt": "Q",
    "response": GOOD,
    "number_of_queries": 3,
    "queries_to_jailbreak": None,
    "prompt_tokens": 1,
    "response_tokens": 2,
    "jailbroken": False,
}
COMPARISON = {
    "Index": 0,
    "goal": "G",
    "prompt": "Q",
    "target_response": GOOD,
    "human1": 0,
    "human2": 1,
    "human3": 0,
    "human_majority": 0,
    "harmbench_cf": 0,
    "gpt4_cf": 1,
    "llamaguard2_cf": 0,
    "llama3_cf": 0,
}
BEHAVIOUR = {
    "Behavior": "Q",
    "FunctionalCategory": "standard",
    "SemanticCategory": "c",
    "Tags": None,
    "BehaviorID": "b",
}
STAR = {
    "id": 1,
    "question": "Q",
    "response": f"<think>r</think>{GOOD}",
    "category": ["x"],
    "source": "s",
    "score": {"safety": 10, "ethics": 10, "accuracy": 10},
}
SALAD = {"1-category": "a", "2-category": "b", "3-category": "c"}
WILD = {"vanilla": "Q", "adversarial": None, "completion": GOOD, "data_type": "vanilla_harmful"}
BEAVER = {"prompt": "Q", "response": GOOD, "category": {"animal_abuse": True}, "is_safe": True}
QA = {"prompt": "Q", "response": GOOD, "harm_category": {"crime": False}, "is_safe": True, "severity_level": 0}
PKU = {
    "prompt": "Q",
    "response_0": GOOD,
    "response_1": BAD,
    "is_response_0_safe": True,
    "is_response_1_safe": False,
    "response_0_severity_level": 0,
    "response_1_severity_level": 2,
    "response_1_harm_category": {"Insulting Behavior": True},
    "better_response_id": 1,
    "safer_response_id": 0,
}
TWO = {"prompt": "Q", "response_0": BAD, "response_1": GOOD, "better_response_id": 0}
ASKED = "\n\nHuman: Q\n\nAssistant: "
RESPONSE = {"prompt": "Q", "response": GOOD, "label": "unharmful", "prompt_type": "prompt_harmful"}
VALIDATION = {"behavior": "Q", "generation": BAD, "human_0": 1, "human_1": 1, "human_2": 0}
COCONOT = {"id": "a", "category": "c", "subcategory": "s", "prompt": "Q", "response": GOOD}
SAFE, HARMFUL, NEITHER = (GOOD, None), (None, BAD), (None, None)


@pytest.mark.parametrize(
    ("name", "row", "answers"),
    [
        ("PKU-SafeRLHF", PKU, (GOOD, BAD)),
        ("PKU-SafeRLHF", PKU | {"response_0_severity_level": "1"}, NEITHER),
        ("PKU-SafeRLHF-single-dimension", TWO, NEITHER),
        ("PKU-SafeRLHF-prompt", {"prompt": "Q", "prompt_source": "x"}, NEITHER),
        ("PKU-SafeRLHF-QA", QA, SAFE),
        ("PKU-SafeRLHF-QA", QA | {"response": BAD, "is_safe": "False", "severity_level": "2"}, HARMFUL),
        ("PKU-SafeRLHF-QA", QA | {"severity_level": 3}, NEITHER),
        ("HH-RLHF", {"chosen": ASKED + GOOD, "rejected": ASKED + BAD}, (GOOD, BAD)),
        (
            "HH-RLHF red-team attempts",
            {"transcript": ASKED + BAD, "min_harmlessness_score_transcript": -3.1, "rating": 4.0},
            NEITHER,
        ),
        ("BeaverTails", BEAVER, SAFE),
        ("BeaverTails", BEAVER | {"response": BAD, "is_safe": False}, HARMFUL),
        ("BeaverTails", BEAVER | {"is_safe": None}, NEITHER),
        ("WildGuardMix", WILDGUARD, SAFE),
        ("WildGuardMix", WILDGUARD | {"prompt_harm_agreement": 3.0, "response_harm_agreement": 2.0}, SAFE),
        (
            "WildGuardMix",
            WILDGUARD | {"response": BAD, "response_harm_label": "harmful", "response_refusal_label": "compliance"},
            HARMFUL,
        ),
        ("WildGuardMix", WILDGUARD | {"response_harm_label": None, "response_refusal_label": "compliance"}, NEITHER),
        ("WildGuardMix", WILDGUARD | {"response_harm_label": None, "response": None}, NEITHER),
        ("WildGuardMix", WILDGUARD | {"prompt_harm_label": "unharmful"}, NEITHER),  # refuses what is harmless
        (
            "WildGuardMix",
            WILDGUARD | {"prompt_harm_label": "unharmful", "response_refusal_label": "compliance"},
            SAFE,
        ),
        ("Aegis 2.0", AEGIS, SAFE),
        ("Aegis 2.0", AEGIS | {"response": BAD, "response_label": "unsafe"}, HARMFUL),
        ("Aegis 2.0", AEGIS | {"response": None, "response_label": None}, NEITHER),
        (
            "Aegis 1.0",
            {"text": "Q", "text_type": "user_message", "num_annotations": 3, "labels_0": "Violence"},
            NEITHER,
        ),
        ("XSTest completions", XSTEST, SAFE),
        ("XSTest completions", XSTEST | {"type": "homonyms"}, NEITHER),
        ("XSTest completions", XSTEST | {"completion": BAD, "final_label": "1_full_compliance"}, HARMFUL),
        ("XSTest completions", XSTEST | {"final_label": "1_full_compliance", "type": "homonyms"}, NEITHER),
        ("XSTest completions", XSTEST | {"final_label": "3_partial_refusal"}, NEITHER),
        (
            "XSTest responses",
            {"prompt": "Q", "response": GOOD, "label": "unharmful", "prompt_type": "prompt_harmful"},
            SAFE,
        ),
        (
            "XSTest responses",
            RESPONSE | {"response": BAD, "label": "harmful", "prompt_type": "prompt_safe"},
            HARMFUL,
        ),
        (
            "XSTest responses",
            {"prompt": "Q", "response": GOOD, "label": "refusal", "prompt_type": "prompt_harmful"},
            SAFE,
        ),
        (
            "XSTest responses",
            RESPONSE | {"response": BAD, "label": "compliance"},
            HARMFUL,
        ),
        ("JailbreakBench artefacts", ARTEFACT, SAFE),
        ("JailbreakBench artefacts", ARTEFACT | {"response": BAD, "jailbroken": True}, HARMFUL),
        ("JailbreakBench artefacts", ARTEFACT | {"goal": "Q", "prompt": None, "response": None}, NEITHER),
        ("JailbreakBench judge comparison", COMPARISON, SAFE),
        ("JailbreakBench judge comparison", COMPARISON | {"target_response": BAD, "human_majority": "1"}, HARMFUL),
        ("JailbreakBench judge comparison", COMPARISON | {"human_majority": None, "human1": 1}, (None, GOOD)),
        ("HarmBench classifier validation", VALIDATION, HARMFUL),
        ("HarmBench classifier validation", VALIDATION | {"generation": GOOD, "human_0": 0, "human_1": 0}, SAFE),
        ("HarmBench classifier validation", {"test_case": "Q", "generation": BAD, "human_labels": [1, 0, 1]}, HARMFUL),
        ("HarmBench classifier validation", {"behavior": "Q", "generation": BAD, "label": 1}, NEITHER),
        ("GPTFuzzer answers", {"question": "Q", "Response": BAD, "label": 0}, NEITHER),
        ("WildJailbreak", WILD, SAFE),
        ("WildJailbreak", WILD | {"vanilla": "V", "adversarial": "Q", "data_type": "adversarial_harmful"}, SAFE),
        ("SafeChain", {"instruction": "Q", "response": f"r</think>{GOOD}", "label": "vanilla_harmful"}, SAFE),
        ("STAR-1", STAR, SAFE),
        ("STAR-1", STAR | {"score": {"safety": 10, "ethics": 3}}, NEITHER),
        ("CoCoNot", COCONOT, SAFE),
        ("HarmBench behaviours", BEHAVIOUR, NEITHER),
        (
            "HarmBench behaviours",
            {"Behavior": "Q", "ContextString": " ", "positive": [BAD], "negative": [GOOD]},
            NEITHER,
        ),
        ("JailbreakBench behaviours", {"Goal": "Q", "Target": BAD, "Behavior": "b", "Category": "c"}, NEITHER),
        ("AdvBench", {"goal": "Q", "target": BAD}, NEITHER),
        ("StrongREJECT", {"category": "c", "source": "s", "forbidden_prompt": "Q"}, NEITHER),
        ("StrongREJECT", {"forbidden_prompt": "Q", "response": BAD, "refusal": 0, "score": 1.0}, NEITHER),
        ("SORRY-Bench", {"question_id": 1, "category": "1", "turns": ["Q"], "prompt_style": "base"}, NEITHER),
        (
            "SORRY-Bench",
            {"question_id": 1, "turns": "['Q']", "choices": [{"turns": [BAD]}], "human_score": 1.0},
            NEITHER,
        ),
        ("AILuminate", {"release_prompt_id": "a", "prompt_text": "Q", "hazard": "hte", "persona": "normal"}, NEITHER),
        (
            "XSTest prompts",
            {"prompt": "Q", "type": "t", "label": "safe", "focus": "f", "completion": BAD},
            NEITHER,
        ),
        ("OR-Bench", {"prompt": "Q", "category": "violence"}, NEITHER),
        (
            "Do-Not-Answer",
            {"id": 1, "risk_area": "r", "types_of_harm": "t", "question": "Q", "GPT4_response": BAD, "GPT4_harmful": 1},
            NEITHER,
        ),
        ("SALAD-Bench", {"qid": 1, "question": "Q", "source": "s"} | SALAD, NEITHER),
        ("SALAD-Bench", {"aid": 1, "augq": "Q", "baseq": "q", "method": "m"} | SALAD, NEITHER),
        ("GPTFuzzer questions", {"index": 0, "text": "Q"}, NEITHER),
        ("ToxicChat", {"user_input": "Q", "model_output": BAD, "toxicity": 0, "jailbreaking": 0}, NEITHER),
        ("WildJailbreak evaluation", {"adversarial": "Q", "label": 1, "data_type": "adversarial_harmful"}, NEITHER),
        ("unpaired preference", {"prompt": "Q", "completion": GOOD, "label": True}, SAFE),
        ("unpaired preference", {"prompt": "Q", "completion": BAD, "label": "False"}, HARMFUL),
    ],
)
def test_public_sets(name: str, row: dict[str, Any], answers: tuple[str | None, str | None]) -> None:
    assert (layout := recognised(plain_row(row))) and layout.name == name
    mapped = map_row(row, None, 1)
    assert (mapped["prompt"], mapped["chosen"], mapped["rejected"]) == ("Q", *answers)


def test_every_public_set_is_tried_above() -> None:
    tried = {case[0] for mark in test_public_sets.pytestmark for case in mark.args[1]}  # type: ignore[attr-defined]
    assert {layout.name for layout in PUBLIC} <= tried


@pytest.mark.parametrize("layout", PUBLIC, ids=lambda layout: layout.name)
def test_documentation_has_licence_and_address_of_each(layout: Any) -> None:
    line = f"| [{layout.name}]({layout.address}) | {layout.licence} |"
    assert line in DOCS.read_text(encoding="utf-8"), line


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": "80", "Response": BAD, "label": "1"}, "the number 80, not the question itself"),
        ({"text": BAD, "text_type": "llm_response", "num_annotations": 3}, "where: {text_type: user_message}"),
        ({"mid": 1, "baseq": "Q", "choices": ["a"], "gt": ["A"]} | SALAD, "multiple-choice"),
        ({"id": 1, "text": "Be rude. [INSERT PROMPT HERE]"}, "is a template"),
        (VALIDATION | {"human_1": "perhaps"}, "not all votes are 1 or 0"),
        (WILDGUARD | {"response_harm_label": "sfae"}, "'response_harm_label' seems to say"),
    ],
)
def test_what_cannot_be_read_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        map_row(row, None, 1)
    assert said in str(caught.value)


def test_contextual_behaviours_are_asked_with_their_context() -> None:
    assert map_row(BEHAVIOUR | {"ContextString": "C"}, None, 1)["prompt"] == "C\n\n---\n\nQ"
    assert map_row({"prompt": "Q", "context": "C", "category": "c"}, None, 1)["prompt"] == "C\n\n---\n\nQ"


@pytest.mark.parametrize("row", [BEAVER, WILDGUARD, QA, AEGIS, PKU, WILD, STAR, COCONOT, ARTEFACT, COMPARISON])
@pytest.mark.parametrize(
    "other", [{"final_label": "unsafe"}, {"gpt4_rating": 9}, {"severity": 2}, {"is_jailbreak": True}]
)
def test_a_label_that_was_added_to_a_public_set_is_heard(row: dict[str, Any], other: dict[str, Any]) -> None:
    try:
        assert map_row(row | other, None, 1)["chosen"] is None
    except InputError as error:
        assert "seems to say whether the answer is safe" in str(error)
