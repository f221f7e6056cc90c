"""An answer is taken only where nothing in its row speaks against it, in whatever words (invariant 10)."""

from typing import Any

import pytest

from amends.data.mapping import map_row
from amends.errors import InputError

GOOD, BAD = "I would rather not.", "You are a worthless fool."
ASKED = {"prompt": "Q", "response": BAD}


@pytest.mark.parametrize(
    "other",
    [
        {"final_label": "5"},
        {"label": 1},
        {"label": 0},
        {"label": True},
        {"label": "bad"},
        {"label": "sport"},
        {"labels": ["sport"]},
        {"score": 0.1},
        {"score": "0.1"},
        {"harmlessness_score": 1},
        {"harmless": 1},
        {"gpt4_rating": 9},
        {"severity": "high"},
        {"is_jailbreak": False},
        {"jailbreak_success": 1},
        {"not_harmful": False},
        {"flagged": False},
        {"toxicity": 0.9},
        {"refusal_score": 0.2},
        {"asr": 1},
        {"llama": 0.93},
        {"whatever": True},
        {"human_labels": [1, 1, 0]},
        {"quality": "poor"},
        {"llamaguard": "S3"},
        {"results": "[1]"},
        {"tags": ["harmful"]},
        {"type": "harmful"},
        {"data_type": "adversarial_harmful"},
        {"annotations": {"harmful": True}},
        {"meta": {"safety": {"label": "unsafe"}}},
        {"annotations": '[{"annotator": 1, "value": "unsafe"}]'},
        {"annotations": "{'harmful': True}"},
        {"openai_moderation": [{"flagged": True}]},
        {"category": {"crime": True}},
        {"prompt_harm_label": "harmful"},
        {"goal": "G"},
        {"behavior": "b"},
        {"goal": "not reached", "label": "safe"},
        {"goal": "Write a hoax about a vaccine that people will believe"},
        {"behavior": "mostly compliant", "label": "safe"},
        {"target": GOOD},
        {"output_2": GOOD},
        {"response_a": GOOD},
        {"llama3_output": GOOD},
        {"model_answer": GOOD},
        {"gpt4_response": GOOD},
        {"completions": [GOOD]},
        {"gpt-4": GOOD},
    ],
    ids=str,
)
def test_an_answer_beside_what_cannot_be_read_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"nothing says which one is safe|seems to say whether") as caught:
        map_row(ASKED | other, None, 1)
    assert "columns: {prompt: <a column>, chosen:" in str(caught.value)
    assert "--columns prompt=NAME" in str(caught.value)
    assert map_row(ASKED | other, {"prompt": "prompt"}, 1)["chosen"] is None
    assert map_row(ASKED | other, {"chosen": "response"}, 1)["chosen"] == BAD


@pytest.mark.parametrize(
    "label",
    [
        {"is_safe": False},
        {"is_safe": "False"},
        {"is_safe": 0.0},
        {"is_safe": "0.0"},
        {"harmful": 1},
        {"is_harmful": "yes"},
        {"jailbroken": True},
        {"jailbroken": "1"},
        {"unsafe": True},
        {"toxic": True},
        {"label": "unsafe"},
        {"label": "Harmful"},
        {"verdict": "harmful"},
        {"safety_label": ["unsafe"]},
        {"labels": ["unsafe", "safe", "unsafe"]},
        {"Response Label": "unsafe"},
        {"prompt_harm_label": "harmful", "response_refusal_label": "compliance"},
        {"prompt_label": "unsafe", "refused": False},
        {"goal": "Write a hoax", "behavior": "Animal abuse", "label": "unsafe"},
        {"attack_type": "manual", "refused": False},
        {"behavior": "harmful"},
    ],
    ids=str,
)
def test_an_answer_that_is_labelled_harmful_is_rejected(label: dict[str, Any]) -> None:
    mapped = map_row(ASKED | label, None, 1)
    assert (mapped["chosen"], mapped["rejected"]) == (None, BAD)


@pytest.mark.parametrize(
    "label",
    [
        {"is_safe": None},
        {"is_safe": ""},
        {"label": None},
        {"label": "partial"},
        {"final_label": "3_partial_refusal"},
        {"final_label": "1_full_compliance"},
        {"compliance": True},
        {"refusal": "False"},
        {"is_safe": True, "final_label": "unsafe"},
        {"is_safe": True, "label": "controversial"},
        {"labels": ["unsafe", "safe"]},
        {"goal": "Write a rhyme", "compliance": True},
        {"prompt_harm_label": "unharmful", "response_refusal_label": "refusal"},
        {"prompt_harm_label": "harmful", "response_harm_label": "unharmful", "response_refusal_label": "compliance"},
    ],
    ids=str,
)
def test_an_answer_whose_labels_leave_it_open_is_left(label: dict[str, Any]) -> None:
    mapped = map_row(ASKED | label, None, 1)
    assert (mapped["prompt"], mapped["chosen"], mapped["rejected"]) == ("Q", None, None)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"is_safe": True},
        {"is_safe": "1"},
        {"harmful": 0},
        {"jailbroken": "False"},
        {"label": "Safe"},
        {"goal": "Write a toxic hoax that people will rate as good", "behavior": "Human trafficking", "label": "safe"},
        {"final_label": "2_full_refusal"},
        {"response_harm_label": "unharmful"},
        {"refused": True},
        {"labels": ["safe", "unsafe", "safe"]},
        {"label": "safe", "label_source": "human (is_safe)"},
        {"id": 3, "source": "toxic-chat", "license": "MIT", "category": "benign", "model": "m"},
        {"question_index": 4, "n_user_turns": 1, "response_tokens": 12, "finished": True, "Unnamed: 0": "3"},
        {"metadata": {"source": "x", "turns": 2}, "tags": ["a"], "text": "Q and all", "system": "You are kind."},
        {"score": None, "output_2": "", "annotations": []},
    ],
    ids=str,
)
def test_an_answer_that_nothing_speaks_against_is_taken(other: dict[str, Any]) -> None:
    assert map_row({"prompt": "Q", "response": GOOD} | other, None, 1)["chosen"] == GOOD


def test_a_label_in_one_message_is_not_hidden_by_one_in_another() -> None:
    user, answer = {"role": "user", "content": "Q"}, {"role": "assistant", "content": BAD}
    for label in ("harmful", "is_unsafe"):
        dialogue = [user, answer | {label: True}, user | {label: False}]
        row = {"messages": dialogue[:2]}
        assert map_row(row, None, 1)["chosen"] is None
        assert map_row({"conversations": dialogue}, None, 1)["chosen"] is None
        pair = {"chosen": [user, answer | {label: True}], "rejected": [user, answer]}
        for columns in ({}, {"prompt": "Q"}):
            with pytest.raises(InputError, match="seems to say whether the answer is safe"):
                map_row(columns | pair, None, 1)


PAIR = {"prompt": "Q", "chosen": GOOD, "rejected": BAD}


@pytest.mark.parametrize(
    "other",
    [
        {"chosen_score": 2, "rejected_score": 9},
        {"score_chosen": "2.0", "score_rejected": "2.0"},
        {"chosen_score": 2},
        {"chosen_harm_score": 9, "rejected_harm_score": 1},
        {"chosen_is_safe": False},
        {"chosen_label": "unsafe"},
        {"chosen_label": "partial"},
        {"chosen_votes_safe_unsafe": [0, 3]},
        {"severity": 3},
        {"harmlessness": 1},
        {"ratings": [3, 8]},
        {"moderation": {"flagged": True}},
        {"label": "harmful"},
    ],
    ids=str,
)
def test_a_chosen_answer_that_its_row_speaks_against_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="seems to say whether the answer is safe"):
        map_row(PAIR | other, None, 1)
    with pytest.raises(InputError, match="seems to say whether the answer is safe"):
        map_row(PAIR | other | {"question": "Q"}, {"prompt": "question"}, 1)
    assert map_row(PAIR | other, {"prompt": "prompt", "chosen": "chosen"}, 1)["chosen"] == GOOD


@pytest.mark.parametrize(
    "other",
    [
        {"chosen_score": 9, "rejected_score": 2},
        {"score_chosen": "9.5", "score_rejected": "2.0"},
        {"chosen_is_safe": True, "rejected_is_safe": False},
        {"chosen_votes_safe_unsafe": [1, 0], "rejected_votes_safe_unsafe": [0, 3]},
        {"label_source": "human", "prompt_group": 4, "chosen_model": "m", "rejected_model": "n"},
        {"prompt_label": "unsafe", "harm_category": "fraud", "attack": "role play", "response": BAD},
        {"label": "safe", "rejected_label": "unsafe"},
    ],
    ids=str,
)
def test_a_chosen_answer_stays_where_its_row_does_not_speak_against_it(other: dict[str, Any]) -> None:
    mapped = map_row(PAIR | other, None, 1)
    assert (mapped["chosen"], mapped["rejected"]) == (GOOD, BAD)


def test_the_name_of_an_attack_is_of_the_prompt() -> None:
    asked = ASKED | {"response": GOOD, "attack": "PAIR"}
    assert map_row(asked | {"label": "safe"}, None, 1)["chosen"] == GOOD
    assert map_row(asked | {"label": "unsafe"}, None, 1)["chosen"] is None
    for unsaid in ({}, {"attack": "success"}, {"attack": "1"}):
        with pytest.raises(InputError, match="'attack' seems to say"):
            map_row(asked | unsaid, None, 1)


def test_what_is_nested_deeply_is_refused() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(InputError, match="nested too deeply"):
        map_row(ASKED | {"meta": deep}, None, 1)
