"""Values as sets write them: labels, parts of messages, and rows that are refused."""

import json
from typing import Any

import pytest
from written_rows import ASSISTANT, BAD, PKU, SHAREGPT, SYSTEM, USER, WHY, conversation

from amends.data.layouts.values import nested
from amends.data.mapping import map_row
from amends.errors import InputError
from amends.records import Conversation


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"question": "Q", "n": 1}, None, ["'prompt' is missing", "columns question, n", "columns: {prompt: "]),
        ({}, None, ["'prompt' is missing", "columns none"]),
        ({"chosen": "A", "rejected": "B"}, None, ["'prompt' is missing", "columns chosen, rejected"]),
        ({"q": "Q"}, {"prompt": "question"}, ["'question'", "for 'prompt'", "is missing", "columns q"]),
        ({"q": "Q"}, {"q": "prompt"}, ["'q' is none of id, prompt", "{our name: their name}"]),
        (PKU | {"is_response_0_safe": "maybe"}, None, ["'is_response_0_safe'", "neither true nor false"]),
        (PKU | {"is_response_1_safe": 2}, None, ["'is_response_1_safe'", "neither true nor false"]),
        ({"messages": []}, None, ["'messages'", "no user turn"]),
        ({"messages": [ASSISTANT]}, None, ["'messages'", "no user turn"]),
        ({"messages": ["Hi"]}, None, ["'messages'", "list of messages", "columns"]),
        ({"messages": [{"role": "tool", "content": "x"}]}, None, ["'messages'", "role"]),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, None, ["'messages'", "text as content"]),
        ({"messages": [{"role": ["user"], "content": "x"}]}, None, ["'messages'", "role"]),
        ({"conversations": [{"from": "gpt", "value": "Hi"}]}, None, ["'conversations'", "no user turn"]),
        ({"prompt": "Q", "chosen": [1]}, None, ["'chosen'", "list of messages"]),
        ({"messages": [USER, USER, ASSISTANT]}, None, ["'messages'", "turns 1 and 2 of 2 are both of the user"]),
        ({"messages": [USER, ASSISTANT, BAD]}, None, ["'messages'", "the assistant speaks last"]),
        ({"messages": [ASSISTANT, USER]}, None, ["'messages'", "the assistant speaks first", "leave that turn out"]),
        ({"messages": [USER, {"role": "assistant", "content": " "}, WHY]}, None, ["turn 2 of 3 (assistant) is empty"]),
        ({"messages": [USER, SYSTEM]}, None, ["turn 2 of 2 is a system turn", "only be the first"]),
        ({"messages": [SYSTEM, ASSISTANT]}, None, ["'messages'", "no user turn"]),
        ({"prompt": [USER, ASSISTANT]}, None, ["'prompt'", "the assistant speaks last"]),
        ({"question": [USER, USER]}, {"prompt": "question"}, ["turns 1 and 2 of 2"]),
        ({"instruction": "Q", "output": "A", "history": ["Hi", "Hello!"]}, None, ["'history'", "no list of pairs"]),
        ({"messages": [SYSTEM, USER], "system": "S"}, None, ["'system'", "both have a system turn"]),
        ({"messages": [USER, BAD | {"weight": 0}]}, None, ["'weight'", "seems to say"]),
        ({"messages": [USER, BAD | {"refusal": "false"}], "prompt_label": "unsafe", "x": True}, None, ["'x'"]),
    ],
)
def test_row_that_fits_no_format_is_refused(
    row: dict[str, Any], columns: dict[str, str] | None, expected: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        map_row(row, columns, 1)
    assert [part for part in expected if part not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize("label", ["response_label", "response_harm_label", "toxicity", "Safety_Label"])
def test_an_answer_beside_a_label_is_what_the_label_says(label: str) -> None:
    row = {"prompt": "How?", "response": "Like this."}
    unsafe = map_row(row | {label: "unsafe"}, None, 1)
    assert (unsafe["chosen"], unsafe["rejected"]) == (None, "Like this.")
    with pytest.raises(InputError, match=f"column '{label.lower()}' seems to say whether the answer is safe"):
        map_row(row | {label: "x"}, None, 1)
    assert map_row(row | {label: "x"}, {"chosen": "response"}, 1)["chosen"] == "Like this."
    assert map_row(row | {"response": "", label: "x"}, None, 1)["chosen"] is None
    assert map_row({"prompt": "How?", "chosen": "No.", label: "x"}, None, 1)["chosen"] == "No."


@pytest.mark.parametrize("label", [{"label": "unsafe"}, {"is_safe": False}, {"toxic": True}])
def test_an_unsafe_conversation_is_no_safe_answer(label: dict[str, Any]) -> None:
    mapped = map_row({"messages": [USER, BAD], **label}, None, 1)
    assert (mapped["chosen"], mapped["rejected"]) == (None, "Go away.")
    inside = map_row({"messages": [USER, BAD | label]}, None, 1)
    assert (inside["chosen"], inside["rejected"]) == (None, "Go away.")


@pytest.mark.parametrize("other", [{"category_label": "x"}, {"prompt_harm_label": "x"}, {"labels": []}])
def test_other_labels_are_nobodys_matter(other: dict[str, Any]) -> None:
    assert map_row({"instruction": "How?", "output": "So.", **other}, None, 1)["chosen"] == "So."


PARTS = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]


@pytest.mark.parametrize(
    ("row", "prompt", "chosen"),
    [
        pytest.param({"prompt": ["Q"], "response": ["A"]}, "Q", "A", id="lists of one text"),
        pytest.param({"messages": json.dumps([USER, ASSISTANT])}, "Hi", "Hello!", id="messages as JSON"),
        pytest.param({"messages": str([USER, ASSISTANT])}, "Hi", "Hello!", id="messages as Python writes them"),
        pytest.param({"conversations": json.dumps(SHAREGPT[2:4])}, "Hi", "Hello!", id="ShareGPT as JSON"),
        pytest.param({"prompt": json.dumps([USER]), "completion": json.dumps([ASSISTANT])}, "Hi", "Hello!", id="JSON"),
        pytest.param({"messages": [{"role": "user", "content": PARTS}, ASSISTANT]}, "Hi", "Hello!", id="parts"),
        pytest.param(
            {"messages": [SYSTEM | {"role": "developer"}, USER]}, conversation(SYSTEM, USER), None, id="developer"
        ),
        pytest.param(
            {"prompt": [USER, ASSISTANT, WHY], "context": "C"},
            conversation(USER, ASSISTANT, {"role": "user", "content": "C\n\n---\n\nWhy?"}),
            None,
            id="context of the last turn",
        ),
        pytest.param({"messages": [USER | {"role": "User"}, ASSISTANT]}, "Hi", "Hello!", id="capitals"),
        pytest.param({"prompt": "[1, 2]"}, "[1, 2]", None, id="a prompt that is a list"),
        pytest.param({"prompt": '[{"a": 1}]'}, '[{"a": 1}]', None, id="a prompt that is JSON"),
        pytest.param({"prompt": "Q", "response": "<think>Hm.</think>\n\nA"}, "Q", "A", id="reasoning"),
        pytest.param({"prompt": "Q", "response": "Hm.</think>A"}, "Q", "A", id="reasoning that the template opened"),
        pytest.param({"prompt": "Q", "response": "<think>Hm."}, "Q", None, id="nothing but reasoning"),
        pytest.param({"prompt": "Q", "context": "C"}, "C\n\n---\n\nQ", None, id="context"),
    ],
)
def test_values_as_sets_write_them(row: dict[str, Any], prompt: str | Conversation, chosen: str | None) -> None:
    mapped = map_row(row, None, 1)
    assert (mapped["prompt"], mapped["chosen"], mapped["rejected"]) == (prompt, chosen, None)


def test_messages_that_are_named_as_the_prompt_bring_no_answer_into_it() -> None:
    assert map_row({"messages": json.dumps([USER, ASSISTANT])}, {"prompt": "messages"}, 1)["prompt"] == "Hi"


def test_an_image_in_a_message_is_refused() -> None:
    parts = [{"type": "image_url", "image_url": "x"}, PARTS[0]]
    with pytest.raises(InputError, match="text as content"):
        map_row({"messages": [{"role": "user", "content": parts}]}, None, 1)


@pytest.mark.parametrize("text", ["{[]: 1}", "[{[]}]", "[{{}: 2}, 1]", "[1", "[" * 9_999])
def test_what_looks_like_a_list_and_is_none_stays_a_text(text: str) -> None:
    """Python has errors of many kinds for what it cannot read; keys that cannot be hashed are of another one."""
    assert nested(text) == text
    assert map_row({"prompt": text}, None, 1)["prompt"] == text
