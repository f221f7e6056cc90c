"""Each known format, by a row as its data set writes it."""

from typing import Any

import pytest

from amends.data.mapping import map_row
from amends.errors import InputError

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
HH_PROMPT = "Human: Hi\n\nAssistant: Hello!\n\nHuman: Why?"
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
        pytest.param(
            {"chosen": "\n\nHuman: Hi\n\nAssistant: Hello!", "rejected": "\n\nHuman: Hi\n\nAssistant: No.\n\nReally."},
            "Hi",
            "Hello!",
            "No.\n\nReally.",
            id="HH",
        ),
        pytest.param(
            {"chosen": HH_START + " A", "rejected": HH_START + " B"}, HH_PROMPT, "A", "B", id="HH, several turns"
        ),
        pytest.param(
            {"chosen": HH_START + " A", "rejected": "\n\nHuman: Hi\n\nAssistant: B"},
            HH_PROMPT,
            "A",
            None,
            id="HH pair that parts early",
        ),
        pytest.param({"chosen": HH_START, "rejected": HH_START + " B"}, HH_PROMPT, None, "B", id="HH, empty answer"),
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
        pytest.param({"conversations": SHAREGPT}, "Hi", "Hello!", None, id="ShareGPT, first exchange"),
        pytest.param({"conversations": SHAREGPT[2:3]}, "Hi", None, None, id="ShareGPT without answer"),
        pytest.param({"messages": [USER, ASSISTANT]}, "Hi", "Hello!", None, id="TRL messages"),
        pytest.param({"messages": [SYSTEM, USER, ASSISTANT]}, "Hi", "Hello!", None, id="messages, system left out"),
        pytest.param(
            {"messages": [USER, ASSISTANT, {"role": "user", "content": "Why?"}, BAD]},
            HH_PROMPT,
            "Go away.",
            None,
            id="messages, several turns",
        ),
        pytest.param({"messages": [USER]}, "Hi", None, None, id="messages without answer"),
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
def test_format(row: dict[str, Any], prompt: str, chosen: str | None, rejected: str | None) -> None:
    before = repr(row)
    mapped = map_row(row, None, 3)
    assert mapped == {"id": "row-00000003", "prompt": prompt, "chosen": chosen, "rejected": rejected, "category": None}
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


@pytest.mark.parametrize(("given", "expected"), [("x", "x"), (17, "17"), (None, "row-00000007"), ("", "")])
def test_id(given: Any, expected: str) -> None:
    assert map_row({"id": given, "prompt": "Q"}, None, 7)["id"] == expected


def test_category_is_kept_when_it_is_text() -> None:
    assert map_row({"prompt": "Q", "category": "crime"}, None, 1)["category"] == "crime"
    assert map_row({"prompt": "Q", "category": {"crime": True}}, None, 1)["category"] is None


def test_named_columns_are_read_and_own_names_need_no_mapping() -> None:
    row = {"id": "a", "question": "Q", "answer": "A", "category": "c", "prompt": "unused", "output": "unused"}
    mapped = map_row(row, {"prompt": "question", "chosen": "answer"}, 1)
    assert mapped == {"id": "a", "prompt": "Q", "chosen": "A", "rejected": None, "category": "c"}


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
        (PKU | {"is_response_0_safe": "False"}, None, ["'is_response_0_safe'", "neither true nor false"]),
        (PKU | {"is_response_1_safe": None}, None, ["'is_response_1_safe'", "neither true nor false"]),
        ({"messages": []}, None, ["'messages'", "no user turn"]),
        ({"messages": [ASSISTANT]}, None, ["'messages'", "no user turn"]),
        ({"messages": ["Hi"]}, None, ["'messages'", "list of messages", "columns"]),
        ({"messages": [{"role": "tool", "content": "x"}]}, None, ["'messages'", "role"]),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, None, ["'messages'", "text as content"]),
        ({"messages": [{"role": ["user"], "content": "x"}]}, None, ["'messages'", "role"]),
        ({"conversations": [{"from": "gpt", "value": "Hi"}]}, None, ["'conversations'", "no user turn"]),
        ({"prompt": "Q", "chosen": [1]}, None, ["'chosen'", "list of messages"]),
    ],
)
def test_row_that_fits_no_format_is_refused(
    row: dict[str, Any], columns: dict[str, str] | None, expected: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        map_row(row, columns, 1)
    assert [part for part in expected if part not in str(caught.value)] == [], str(caught.value)


@pytest.mark.parametrize("label", ["response_label", "response_harm_label", "toxicity", "Safety_Label"])
def test_an_answer_beside_a_label_that_is_not_read_is_no_safe_answer(label: str) -> None:
    row = {"prompt": "How?", "response": "Like this.", label: "unsafe"}
    with pytest.raises(InputError, match=f"column '{label}' seems to say whether the answer is safe"):
        map_row(row, None, 1)
    assert map_row(row, {"chosen": "response"}, 1)["chosen"] == "Like this."
    assert map_row(row | {"response": ""}, None, 1)["chosen"] is None
    assert map_row({"prompt": "How?", "chosen": "No.", label: "x"}, None, 1)["chosen"] == "No."


def test_an_unsafe_conversation_is_no_safe_answer() -> None:
    turns = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": "Like this."}]
    for label in ({"label": "unsafe"}, {"is_safe": False}, {"toxic": True}):
        with pytest.raises(InputError, match="seems to say whether the answer is safe"):
            map_row({"messages": turns, **label}, None, 1)


@pytest.mark.parametrize(
    "other", [{"category_label": "x"}, {"prompt_harm_label": "x"}, {"labels": []}, {"label": "sport"}]
)
def test_other_labels_are_nobodys_matter(other: dict[str, Any]) -> None:
    assert map_row({"instruction": "How?", "output": "So.", **other}, None, 1)["chosen"] == "So."
