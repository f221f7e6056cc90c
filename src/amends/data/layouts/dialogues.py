"""Rows that hold turns: messages, ShareGPT, pairs with an implicit prompt; turns that stand in columns of their own."""

from collections.abc import Sequence
from typing import Any

from amends.data.layouts.base import Fields, Row
from amends.data.layouts.labels import read_word
from amends.data.layouts.values import (
    MESSAGE_KEYS,
    asked_in,
    is_blank,
    is_dialogue,
    messages_in,
    nested,
    number_of,
    split_answer,
    truth_of,
    turns_of,
)
from amends.errors import InputError
from amends.records import Message

ANSWER_COLUMNS = ("chosen", "response", "completion", "output", "answer")


def has_turns(row: Row, column: str) -> bool:
    """Whether a column holds messages, and no other one an answer."""
    value = messages_in(row.get(column))
    return isinstance(value, list) and all(is_blank(row.get(name)) for name in ANSWER_COLUMNS)


def beside_in(value: Any) -> tuple[tuple[str, Any], ...]:
    """What messages say beside role and content: a label there is one of the answer, too."""
    messages = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(
        (key, inner)
        for place, one in enumerate(messages, 1)
        for key, inner in one.items()
        if key not in MESSAGE_KEYS and not _is_of_messages(key, inner, place == len(messages))
    )


def _is_of_messages(key: str, value: Any, is_last: bool) -> bool:
    """Whether a field is OpenAI's own and says nothing of the answer: a refusal that is none, or a training's weight.

    A weight says whether a turn is trained on. Of the turns before the answer none is; 0 of the answer itself is left
    to be refused.
    """
    if key == "refusal":
        is_label = truth_of(value) is not None or read_word(value) is not None
        return value is None or (isinstance(value, str) and not is_label)
    return key == "weight" and (not is_last or number_of(value) == 1)


def from_messages(row: Row) -> Fields:
    """The last answer, and all turns before it as the prompt."""
    messages = messages_in(row["messages"])
    context, answer = split_answer(turns_of(messages, "messages"))
    asked = asked_in([*told_in(row, context), *context], "messages")
    return Fields(asked, answer, read=frozenset({"messages", "prompt", "system"}), beside=beside_in(messages))


def from_conversations(row: Row) -> Fields:
    """ShareGPT, where the assistant can greet before the user speaks."""
    messages = messages_in(row["conversations"])
    context, answer = split_answer(turns_of(messages, "conversations"))
    first = next((place for place, turn in enumerate(context) if turn.role == "user"), len(context))
    asked = [*(turn for turn in context[:first] if turn.role == "system"), *context[first:]]
    asked = [*told_in(row, asked), *asked]
    read = frozenset({"conversations", "prompt", "system"})
    return Fields(asked_in(asked, "conversations"), answer, read=read, beside=beside_in(messages))


def is_implicit_pair(row: Row) -> bool:
    """Whether both answers stand behind all that was said before them."""
    return all(is_dialogue(messages_in(row.get(name))) for name in ("chosen", "rejected"))


def from_implicit_pair(row: Row) -> Fields:
    """HH transcripts, and TRL preferences without a prompt: the prompt is what comes before the last answer."""
    context, chosen = split_answer(turns_of(messages_in(row["chosen"]), "chosen"))
    rejected_context, rejected = split_answer(turns_of(messages_in(row["rejected"]), "rejected"))
    # A few HH pairs part before the last answer. Such an answer was given to something else.
    rejected = rejected if rejected_context == context else None
    return Fields(asked_in(context, "chosen"), chosen, rejected, beside=beside_in(messages_in(row["chosen"])))


def told_in(row: Row, turns: Sequence[Message]) -> list[Message]:
    """The system turn in a column of its own, as Anthropic's interface and LLaMA-Factory have it; where there is one.

    Raises InputError where the turns have one, too.
    """
    told = row.get("system")
    if not isinstance(told, str) or is_blank(told):
        return []
    if any(turn.role == "system" for turn in turns):
        raise InputError("column 'system' and the messages both have a system turn; leave one out")
    return [Message(role="system", content=told)]


def history_in(row: Row) -> list[Message]:
    """The turns before an instruction: pairs of what was asked and answered. Raises InputError for other lists."""
    value = nested(row.get("history"))
    if not isinstance(value, list):
        return []
    turns: list[Message] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise InputError(
                "column 'history' is no list of pairs, each of a question and its answer; write the turns as messages "
                "in a column `messages`, or name the columns: columns: {prompt: instruction, chosen: output}"
            )
        turns += [Message(role="user", content=pair[0]), Message(role="assistant", content=pair[1])]
    return turns
