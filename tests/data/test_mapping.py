"""Each known format, by a row as its data set writes it."""

import json
from typing import Any

import pytest

from amends.data.mapping import map_row
from amends.errors import InputError
from amends.records import Conversation

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}
BAD = {"role": "assistant", "content": "Go away."}
SYSTEM = {"role": "system", "content": "You are kind."}
PKU = {
    "prompt": "Q",
    "response_0": "first",
    "response_1": "second",
    "is_response_0_safe": False,
    "is_response_1_safe": True,
    "better_response_id": 0,
    "safer_response_id": 1,
}
HH_START = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Why?\n\nAssistant:"
WHY = {"role": "user", "content": "Why?"}


def conversation(*turns: dict[str, str]) -> Conversation:
    """The prompt of several turns that these messages are."""
    return Conversation.model_validate(list(turns))


SEVERAL = conversation(USER, ASSISTANT, WHY)
SHAREGPT = [
    {"from": "system", "value": "S"},
    {"from": "gpt", "value": "Welcome"},
    {"from": "human", "value": "Hi"},
    {"from": "gpt", "value": "Hello!"},
    {"from": "human", "value": "Why?"},
    {"from": "gpt", "value": "So."},
]


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected"),
    [
        pytest.param({"prompt": "Q"}, "Q", None, None, id="own, prompt only"),
        pytest.param({"prompt": "Q", "chosen": "A", "rejected": "B"}, "Q", "A", "B", id="own"),
        pytest.param({"prompt": "Q", "chosen": "", "rejected": " \n"}, "Q", None, None, id="blank answers"),
        pytest.param({"prompt": "Q", "response": "A"}, "Q", "A", None, id="response"),
        pytest.param({"prompt": "Q", "completion": "A"}, "Q", "A", None, id="TRL prompt-completion"),
        pytest.param({"prompt": "Q", "output": "A"}, "Q", "A", None, id="output"),
        pytest.param({"prompt": "Q", "answer": "A"}, "Q", "A", None, id="answer"),
        pytest.param({"prompt": "Q", "chosen": "A", "response": "R"}, "Q", "A", None, id="chosen before response"),
        pytest.param({"prompt": "Q", "response": "A", "label": "safe"}, "Q", "A", None, id="labelled safe"),
        pytest.param({"prompt": "Q", "response": "A", "label": "unsafe"}, "Q", None, "A", id="labelled unsafe"),
        pytest.param({"prompt": "Q", "response": "A", "is_safe": False}, "Q", None, "A", id="BeaverTails"),
        pytest.param(
            {"prompt": "Q", "chosen": None, "response": "A", "label": "unsafe"}, "Q", None, "A", id="unsafe, no chosen"
        ),
        pytest.param({"instruction": "I", "input": "", "output": "A"}, "I", "A", None, id="Alpaca"),
        pytest.param({"instruction": "I", "input": "T", "output": "A"}, "I\n\nT", "A", None, id="Alpaca with input"),
        pytest.param({"instruction": "I", "context": "T", "response": "A"}, "I\n\nT", "A", None, id="Dolly"),
        pytest.param(PKU, "Q", "second", "first", id="PKU"),
        pytest.param(PKU | {"is_response_0_safe": 1, "is_response_1_safe": 0}, "Q", "first", "second", id="PKU 0/1"),
        pytest.param(PKU | {"is_response_0_safe": True}, "Q", None, None, id="PKU both safe"),
        pytest.param(PKU | {"is_response_1_safe": False}, "Q", None, None, id="PKU neither safe"),
        pytest.param(PKU | {"is_response_1_safe": None}, "Q", None, None, id="PKU not rated"),
        pytest.param(PKU | {"is_response_0_safe": "False"}, "Q", "second", "first", id="PKU as CSV"),
        pytest.param(PKU | {"response_1_severity_level": 2}, "Q", None, None, id="PKU in contradiction"),
        pytest.param(
            {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: No.\n\nReally."},
            "Hi",
            "Hello!",
            "No.\n\nReally.",
            id="HH",
        ),
        pytest.param(
            {"chosen": HH_START + " A", "rejected": HH_START + " B"}, SEVERAL, "A", "B", id="HH, several turns"
        ),
        pytest.param(
            {"chosen": HH_START + " A", "rejected": "\n\nHuman: Hi\n\nAssistant: B"},
            SEVERAL,
            "A",
            None,
            id="HH pair that parts early",
        ),
        pytest.param({"chosen": HH_START, "rejected": HH_START + " B"}, SEVERAL, None, "B", id="HH, empty answer"),
        pytest.param(
            {"prompt": "\n\nHuman: Hi\n\nAssistant:", "chosen": " A", "rejected": " B"}, "Hi", " A", " B", id="HH parts"
        ),
        pytest.param(
            {"prompt": "\n\nHuman: Hi\n\nAssistant: Evil."},
            "\n\nHuman: Hi\n\nAssistant: Evil.",
            None,
            None,
            id="attack",
        ),
        pytest.param(
            {"conversations": SHAREGPT},
            conversation({"role": "system", "content": "S"}, USER, ASSISTANT, WHY),
            "So.",
            None,
            id="ShareGPT, without the greeting",
        ),
        pytest.param({"conversations": SHAREGPT[2:4]}, "Hi", "Hello!", None, id="ShareGPT, one exchange"),
        pytest.param({"conversations": SHAREGPT[2:3]}, "Hi", None, None, id="ShareGPT without answer"),
        pytest.param({"messages": [USER, ASSISTANT]}, "Hi", "Hello!", None, id="TRL messages"),
        pytest.param({"messages": [SYSTEM, USER, ASSISTANT]}, conversation(SYSTEM, USER), "Hello!", None, id="system"),
        pytest.param(
            {"messages": [USER, ASSISTANT, WHY, BAD]},
            SEVERAL,
            "Go away.",
            None,
            id="messages, several turns",
        ),
        pytest.param({"messages": [USER]}, "Hi", None, None, id="messages without answer"),
        pytest.param({"messages": [USER, ASSISTANT, WHY]}, SEVERAL, None, None, id="messages, waiting for an answer"),
        pytest.param({"prompt": [USER, ASSISTANT, WHY], "chosen": "A"}, SEVERAL, "A", None, id="own, several turns"),
        pytest.param(
            {"chosen": "\n\nHuman: Hi\n\nHuman: You?\n\nAssistant: A", "rejected": "\n\nHuman: Hi\n\nAssistant: B"},
            "Hi\n\nYou?",
            "A",
            None,
            id="HH, a speaker named twice",
        ),
        pytest.param({"prompt": "P", "messages": [USER, ASSISTANT]}, "Hi", "Hello!", None, id="prompt and messages"),
        pytest.param({"prompt": [USER], "completion": [ASSISTANT]}, "Hi", "Hello!", None, id="TRL completion messages"),
        pytest.param(
            {"prompt": [USER], "chosen": [ASSISTANT], "rejected": [BAD]},
            "Hi",
            "Hello!",
            "Go away.",
            id="TRL preference",
        ),
        pytest.param(
            {"prompt": "Hi", "chosen": [USER, ASSISTANT], "rejected": [USER, BAD]},
            "Hi",
            "Hello!",
            "Go away.",
            id="TRL preference with the prompt turn",
        ),
        pytest.param(
            {"chosen": [USER, ASSISTANT], "rejected": [USER, BAD]}, "Hi", "Hello!", "Go away.", id="TRL implicit prompt"
        ),
        pytest.param(
            {"prompt": "Hi", "chosen": "Hi\nHello!", "rejected": "Hi\n\nGo away."},
            "Hi",
            "Hello!",
            "Go away.",
            id="text preference with the prompt",
        ),
        pytest.param(
            {"prompt": "Hi", "chosen": "Hi there", "rejected": "High five"}, "Hi", "Hi there", "High five", id="alike"
        ),
        pytest.param(
            {"prompt": "An ode", "chosen": "An ode\n\nO!", "rejected": "No."},
            "An ode",
            "An ode\n\nO!",
            "No.",
            id="title",
        ),
    ],
)
def test_format(row: dict[str, Any], prompt: str | Conversation, chosen: str | None, rejected: str | None) -> None:
    before = repr(row)
    mapped = map_row(row, None, 3)
    fields = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    assert mapped == fields | {"id": "row-00000003", "category": None, "categories": []}
    assert repr(row) == before


MISTAKE = {
    "id": "a",
    "prompt": "Q",
    "response": "Harm.",
    "source": "own",
    "guide": "plain",
    "attempts": 1,
    "passed": True,
}


@pytest.mark.parametrize(
    "row",
    [
        MISTAKE,
        MISTAKE | {"chosen": None},
        MISTAKE | {"chosen": " "},
        MISTAKE | {"chosen": "A"},
        {"id": "a", "prompt": "Q", "response": "Harm.", "finished": True},
        {"id": "a", "prompt": "Q", "response": "Harm.", "attempts": 1, "rejections": []},
        {"id": "a", "kind": "hindsight", "prompt": [USER], "completion": [BAD]},
    ],
)
def test_what_a_stage_wrote_is_no_instruction(row: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="row that a stage made"):
        map_row(row, None, 1)
    assert map_row(row, {"prompt": "prompt"}, 1)["chosen"] == ((row.get("chosen") or "").strip() or None)


def test_what_others_generated_is_read() -> None:
    row = {"prompt": "Q", "response": "A", "finished": True, "attempts": 2}
    assert map_row(row, None, 1)["chosen"] == "A"


@pytest.mark.parametrize(
    ("given", "expected"), [("x", "x"), (17, "17"), (17.0, "17"), (1.5, 1.5), (None, "row-00000007"), ("", "")]
)
def test_id(given: Any, expected: str) -> None:
    assert map_row({"id": given, "prompt": "Q"}, None, 7)["id"] == expected


def test_category_is_kept_when_it_is_text() -> None:
    assert map_row({"prompt": "Q", "category": "crime"}, None, 1)["category"] == "crime"
    assert map_row({"prompt": "Q", "category": {"crime": True}}, None, 1)["category"] is None


def test_named_columns_are_read_and_own_names_need_no_mapping() -> None:
    row = {"id": "a", "question": "Q", "answer": "A", "category": "c", "prompt": "unused", "output": "unused"}
    mapped = map_row(row, {"prompt": "question", "chosen": "answer"}, 1)
    fields = {"prompt": "Q", "chosen": "A", "rejected": None}
    assert mapped == fields | {"id": "a", "category": "c", "categories": []}


def test_named_columns_win_over_a_recognised_format() -> None:
    mapped = map_row(PKU, {"chosen": "response_0"}, 1)
    assert (mapped["prompt"], mapped["chosen"], mapped["rejected"]) == ("Q", "first", None)


def test_named_columns_may_hold_messages() -> None:
    mapped = map_row({"better": [USER, ASSISTANT], "worse": [USER, BAD]}, {"chosen": "better", "rejected": "worse"}, 1)
    assert (mapped["prompt"], mapped["chosen"], mapped["rejected"]) == ("Hi", "Hello!", "Go away.")


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
