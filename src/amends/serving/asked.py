"""A request for a chat completion: read, checked, and what the server makes of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from amends.records import Message, UserPrompt
from amends.records.conversation import prompt_of
from amends.serving.additions import SYSTEM, Additions, Turn
from amends.serving.refusals import bad_request
from amends.serving.settings import Reminding

FIELD, HEADER = "amends_reminder", "x-amends-reminder"
"""How a request says whether it wants the reminder, where the server lets it."""
LIMITS = ("max_completion_tokens", "max_tokens")
WORDS = {"on": True, "true": True, "off": False, "false": False}


@dataclass(frozen=True)
class Asked:
    """A request. `body` is what the model is asked, and `prompt` what the user asked, as a judge is shown it."""

    body: dict[str, Any]
    prompt: UserPrompt
    guided: bool

    @property
    def streams(self) -> bool:
        """Whether the answer is wanted piece by piece."""
        return bool(self.body.get("stream"))


def read_request(
    content: bytes, header: str | None, additions: Additions, reminder: Reminding, max_tokens: int | None
) -> Asked:
    """A request with what the server adds. Raises Refused (400) for one that cannot be answered.

    Args:
        content: the body.
        header: what its header says of the reminder.
        max_tokens: of an answer, at most; a request without a limit gets this one.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise bad_request("the body is no JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the body is no JSON object")
    messages = _messages(body.get("messages"))
    guided = _guided(body.pop(FIELD, None), header, reminder)
    _limit(body, max_tokens)
    return Asked({**body, "messages": additions.added_to(messages, guided)}, _prompt(messages), guided)


def _messages(given: Any) -> Sequence[Turn]:
    if not isinstance(given, list) or not given:
        raise bad_request("messages: give a list of at least one message")
    for number, turn in enumerate(given):
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
            raise bad_request(f"messages[{number}]: is no object with a role")
        content = turn.get("content")
        parts = content if isinstance(content, list) else []
        if not isinstance(content, str | list | None) or not all(isinstance(one, dict) for one in parts):
            raise bad_request(f"messages[{number}].content: is neither a text nor a list of parts")
    return given


def _guided(field: object, header: str | None, reminder: Reminding) -> bool:
    """Whether the model is reminded. A header and a field that differ are refused, and so is what may not be said."""
    said = {}
    for name, value in ((FIELD, field), (HEADER, header)):
        if value is not None:
            word = str(value).strip().lower()
            if word not in WORDS:
                raise bad_request(f"{name}: write on or off")
            said[name] = WORDS[word]
    default = reminder != "off"
    if not said:
        return default
    if len(set(said.values())) > 1:
        raise bad_request(f"{FIELD} and {HEADER} say two things; leave one out")
    wanted = next(iter(said.values()))
    if reminder != "per-request" and wanted != default:
        raise bad_request(f"{next(iter(said))}: this server's reminder is always {reminder}; leave it out")
    return wanted


def _limit(body: dict[str, Any], most: int | None) -> None:
    """Refuses an answer that may be longer than allowed, and limits one that has no limit of its own."""
    if most is None:
        return
    given = {name: body[name] for name in LIMITS if body.get(name) is not None}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
            raise bad_request(f"{name}: give a whole number from 1 to {most}")
    choices = body.get("n") or 1
    if not isinstance(choices, int) or (choices * max(given.values(), default=most) > most and choices > 1):
        raise bad_request(f"n: all answers together may have {most} tokens; ask for fewer, or lower max_tokens")
    if not given:
        body["max_tokens"] = most


def text_of(turn: Mapping[str, Any]) -> str:
    """The words of a message, without its images; half of a surrogate pair, which is no text, is replaced."""
    content = turn.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return (content or "").encode("utf-8", "replace").decode()


def turns_of(messages: Sequence[Turn]) -> list[Message]:
    """Messages as a model that is loaded here takes them. Raises ValidationError for other roles."""
    return [
        Message(role="system" if turn["role"] in SYSTEM else turn["role"], content=text_of(turn)) for turn in messages
    ]


def _prompt(messages: Sequence[Turn]) -> UserPrompt:
    """What a judge is shown; of a conversation with tools what the user said last."""
    try:
        return prompt_of(turns_of(messages))
    except ValidationError:
        return next((text_of(turn) for turn in reversed(messages) if turn["role"] == "user"), "")
