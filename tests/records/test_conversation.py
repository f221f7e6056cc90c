"""What a prompt is: a text, or a conversation, which is the same text wherever text is read."""

from typing import Any

import pytest
from pydantic import ValidationError

from amends.records import Conversation, Instruction, messages_of, questions_in, said_in
from conversations import LOCK, LOCK_TEXT, turns


def asked(prompt: Any) -> Any:
    """The prompt of a row."""
    return Instruction(id="a", prompt=prompt).prompt


def test_a_row_with_a_conversation_is_the_same_after_its_line_of_json() -> None:
    row = Instruction(id="a", prompt=LOCK, chosen="Ask them.")
    assert row.model_dump(mode="json")["prompt"] == LOCK
    again = Instruction.model_validate_json(row.model_dump_json())
    assert again == row and again.prompt == row.prompt and hash(again) == hash(row)


def test_one_turn_is_its_text_in_whichever_way_it_is_written() -> None:
    assert asked(turns("Hi.")) == asked("Hi.") == "Hi."
    line = '{"id":"a","prompt":"Hi.","chosen":null,"rejected":null,"category":null}'
    assert Instruction(id="a", prompt=turns("Hi.")).model_dump_json() == line


def test_a_conversation_as_text_names_its_speakers() -> None:
    assert str(asked(LOCK)) == LOCK_TEXT
    assert str(asked(turns("Hi.", system="Be kind."))) == "System: Be kind.\n\nHuman: Hi."
    assert said_in(asked(LOCK)).split("\n") == [turn["content"] for turn in LOCK]
    assert [turn.model_dump() for turn in messages_of(asked(LOCK))] == LOCK
    assert [turn.model_dump() for turn in messages_of("Hi.")] == turns("Hi.")


def test_a_conversation_is_not_the_text_that_it_is_written_as() -> None:
    """A judge that reads turns must not be given one answer for both."""
    assert isinstance(asked(LOCK), Conversation)
    assert len({asked(LOCK), LOCK_TEXT}) == 2


def test_the_prompts_within_a_conversation_are_its_runs_of_turns_from_user_to_user() -> None:
    long = asked(turns("a", "b", "c", "d", "e", system="s"))
    assert list(questions_in(long)) == [
        "Human: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d\n\nHuman: e",
        "Human: a\n\nAssistant: b\n\nHuman: c",
        "a",
        "Human: c\n\nAssistant: d\n\nHuman: e",
        "c",
        "e",
    ]
    assert list(questions_in("a")) == ["a"]
    assert list(questions_in(asked(turns("a", system="s")))) == ["a"]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ([], "no user turn stands before the answer"),
        ([*LOCK, *turns("And now?")], "turns 3 and 4 of 4 are both of the user; join them"),
        (LOCK[:2], "the assistant speaks last"),
        (LOCK[1:], "the assistant speaks first"),
        (turns("Hi.", " ", "Why?"), r"turn 2 of 3 \(assistant\) is empty; fill it or drop the row"),
        (
            [*LOCK, {"role": "system", "content": "Be kind."}],
            "turn 4 of 4 is a system turn, which can only be the first",
        ),
        ([{"role": "tool", "content": "x"}], "no list of messages; write each as"),
        ([{"role": "user"}], "no list of messages; write each as"),
        (["Hi."], "no list of messages; write each as"),
        (turns("a" * 50_000, "b", "c"), "its turns have 50,031 characters, at most 50,000 are allowed"),
    ],
)
def test_what_no_model_could_be_asked_is_refused_with_what_is_wrong(prompt: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        asked(prompt)
