"""Values as data sets write them: blanks, numbers as text, lists of one, JSON as text, messages and transcripts."""

import ast
import json
import re
import warnings
from typing import Any

from pydantic import ValidationError

from amends.errors import InputError
from amends.records import SPEAKERS, Conversation, Message, Role, prompt_of

ROLES: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "ai": "assistant",
    "chatgpt": "assistant",
    "developer": "system",
}
MESSAGE_KEYS = frozenset({"role", "from", "content", "value"})
SAID = ("content", "value", "refusal")  # the last as OpenAI's interface has it, beside a content that is null
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
TRANSCRIPT = re.compile(r"(?:\r?\n){2}Human:")
TRANSCRIPT_TURN = re.compile(r"(?:\A\s*|(?:\r?\n){2})(Human|Assistant):")
SPEAKS = re.compile(r"\s*Human:.*\n\r?\nAssistant:", re.DOTALL)
WAITS = re.compile(SPEAKS.pattern + r"\s*\Z", re.DOTALL)
"""Transcripts as HH writes them; of Windows, and where the blank lines before the first turn were stripped. What begins
with a speaker alone is one only where the assistant speaks in it, and a prompt only where it waits for the answer."""
NESTED = re.compile(r"\s*[\[{]")


def is_blank(value: Any) -> bool:
    """Whether a value is none at all, or text of white space alone."""
    return value is None or (isinstance(value, str) and not value.strip())


def only_one(value: Any) -> Any:
    """The text in a list of one text, as some sets write a turn; other values as they are."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else value


def number_of(value: Any) -> float | None:
    """A number, or text that is one ("1.0"); None for true, false and all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def truth_of(value: Any) -> bool | None:
    """True or false, in the spellings of JSON, CSV and people, and as 1 or 0; None for all else."""
    if isinstance(value, bool):
        return value
    number = number_of(value)
    if number is not None:
        return bool(number) if number in (0, 1) else None
    # The text "false" is true to Python: an unsafe answer would become a chosen one.
    return TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None


def nested(value: Any) -> Any:
    """The list or object that a text holds, as JSON or as Python wrote it into a CSV file; other values as they are."""
    if not isinstance(value, str) or not NESTED.match(value):
        return value
    for parse in (json.loads, _parse_python):
        try:
            found = parse(value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # {[]: 1} is a type error in Python
            continue
        return found if isinstance(found, list | dict) else value
    return value


def _parse_python(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in what is somebody's text
        return ast.literal_eval(text.strip())


def messages_in(value: Any) -> Any:
    """The messages that a value holds, as a list or as its text; other values as they are."""
    found = nested(value)
    return found if _are_messages(found) else value


def _are_messages(value: Any) -> bool:
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(one, dict) and one.keys() & MESSAGE_KEYS for one in value)


def is_dialogue(value: Any) -> bool:
    """Whether a value is a list of messages, or a transcript in the style of HH."""
    return isinstance(value, list) or (isinstance(value, str) and TRANSCRIPT.match(value) is not None)


def turns_of(value: Any, column: str) -> list[Message]:
    """The turns of a list of messages ({role, content} or {from, value}), or of a transcript in the style of HH.

    Raises InputError, naming the column, for what is neither.
    """
    return _spoken_turns(value) if isinstance(value, str) else [_turn(message, column) for message in value]


def split_answer(turns: list[Message]) -> tuple[list[Message], str | None]:
    """The dialogue before the last turn, and that turn, when it is the assistant's."""
    if turns and turns[-1].role == "assistant":
        return turns[:-1], turns[-1].content
    return turns, None


def without_answer(value: Any) -> Any:
    """Messages that somebody names as the prompt, without the answer at their end; other values as they are."""
    found = messages_in(value)
    if _are_messages(found) and turns_of(found[-1:], "prompt")[0].role == "assistant":
        return found[:-1]
    return value


def asked_in(turns: list[Message], column: str) -> str | Conversation:
    """The prompt that turns are. Raises InputError, naming the column, where they are no conversation."""
    try:
        return prompt_of(turns)
    except ValidationError as error:
        raise InputError(f"column '{column}': {error.errors(include_url=False)[0]['msg']}") from None


def _spoken_turns(transcript: str) -> list[Message]:
    """The turns of a transcript, where a speaker can be named within what one says, and with nothing behind."""
    _, *pieces = TRANSCRIPT_TURN.split(transcript)
    roles = {speaker: role for role, speaker in SPEAKERS.items()}
    turns: list[Message] = []
    for role, said in ((roles[speaker], text.strip()) for speaker, text in zip(pieces[::2], pieces[1::2], strict=True)):
        if said and turns and turns[-1].role == role:
            turns[-1] = Message(role=role, content=f"{turns[-1].content}\n\n{said}")
        elif said:
            turns.append(Message(role=role, content=said))
    return turns


def _turn(message: Any, column: str) -> Message:
    fields = message if isinstance(message, dict) else {}
    said = next((said for name in SAID if (said := fields.get(name))), "")
    role, text = fields.get("role") or fields.get("from"), _content(said)
    known = ROLES.get(role.lower()) if isinstance(role, str) else None
    if known is None or text is None:
        raise InputError(
            f"column '{column}' is no list of messages with a role (user, assistant, system) and text as content; "
            "convert it, drop the row, or map other columns in a configuration with columns: {prompt: <a column>, "
            "chosen: <a column>}"
        )
    return Message(role=known, content=text)


def _content(content: Any) -> str | None:
    """The text of a message, which can come in parts; None where a part is something else, such as an image."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "".join(texts) if texts and len(texts) == len(content) else None
