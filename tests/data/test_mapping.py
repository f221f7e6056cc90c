"""Each known format, by a row as its data set writes it."""

from typing import Any

import pytest
from written_rows import ASSISTANT, BAD, PKU, SHAREGPT, SYSTEM, USER, WHY, conversation

from amends.data.mapping import map_row
from amends.errors import InputError
from amends.records import Conversation

HH_START = "\n\nHuman: Hi\n\nAssistant: Hello!\n\nHuman: Why?\n\nAssistant:"

SEVERAL = conversation(USER, ASSISTANT, WHY)


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
        pytest.param(
            {"instruction": "Why?", "input": "", "output": "A", "system": "", "history": [["Hi", "Hello!"]]},
            SEVERAL,
            "A",
            None,
            id="LLaMA-Factory, earlier turns",
        ),
        pytest.param(
            {"instruction": "Hi", "input": "", "output": "A", "system": "You are kind.", "history": []},
            conversation(SYSTEM, USER),
            "A",
            None,
            id="LLaMA-Factory, system prompt",
        ),
        pytest.param(
            {"messages": [USER, ASSISTANT], "system": "You are kind."},
            conversation(SYSTEM, USER),
            "Hello!",
            None,
            id="messages, system prompt in a column",
        ),
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
            {
                "chosen": f"{HH_START} A".replace("\n", "\r\n"),
                "rejected": f"{HH_START} B".replace("\n", "\r\n"),
            },
            SEVERAL,
            "A",
            "B",
            id="HH, line ends of Windows",
        ),
        pytest.param(
            {"chosen": f"{HH_START} A".strip(), "rejected": f"{HH_START} B".strip()},
            SEVERAL,
            "A",
            "B",
            id="HH, stripped",
        ),
        pytest.param({"prompt": HH_START.strip(), "chosen": "A"}, SEVERAL, "A", None, id="HH parts, stripped"),
        pytest.param(
            {"prompt": HH_START.replace("\n", "\r\n"), "chosen": "A"}, SEVERAL, "A", None, id="HH parts, of Windows"
        ),
        pytest.param(
            {"transcript": f"{HH_START} A".strip(), "min_harmlessness_score_transcript": 1},
            "Hi",
            None,
            None,
            id="HH attempt, stripped",
        ),
        pytest.param({"prompt": "Human: Hi"}, "Human: Hi", None, None, id="a speaker alone"),
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
        pytest.param(
            {"messages": [USER, ASSISTANT | {"refusal": None, "annotations": [], "audio": None, "tool_calls": None}]},
            "Hi",
            "Hello!",
            None,
            id="messages as OpenAI's interface gives them",
        ),
        pytest.param(
            {"messages": [USER, {"role": "assistant", "content": None, "refusal": "No."}]},
            "Hi",
            "No.",
            None,
            id="a refusal in a field of its own",
        ),
        pytest.param(
            {"messages": [USER, ASSISTANT | {"weight": 0}, WHY, ASSISTANT | {"weight": 1}]},
            SEVERAL,
            "Hello!",
            None,
            id="messages with weights",
        ),
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
