"""What a prompt is: a text, or a conversation that ends with what the user says; and how either is written as text."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, RootModel, ValidationError, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

Role = Literal["system", "user", "assistant"]
SPEAKERS: dict[Role, str] = {"system": "System", "user": "Human", "assistant": "Assistant"}
"""As HH-RLHF writes transcripts, so that a dialogue is the same text in whichever way a file holds it."""
MAX_PROMPT_CHARACTERS = 50_000


class Message(BaseModel):
    """One turn of a conversation, in the format of chat templates."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    role: Role
    content: str


class Conversation(RootModel[tuple[Message, ...]]):
    """Turns of user and assistant in alternation, from the user's first to the user's last, a system turn before them.

    A single user's turn is no conversation: it is its text (`prompt_of`). In JSON it is a list of messages, and `str`
    makes a transcript of it.

    Example:
        >>> turns = [("user", "Hi."), ("assistant", "Hello!"), ("user", "Why?")]
        >>> print(Conversation(tuple(Message(role=role, content=text) for role, text in turns)))
        Human: Hi.
        <BLANKLINE>
        Assistant: Hello!
        <BLANKLINE>
        Human: Why?
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @model_validator(mode="after")
    def _is_one(self) -> "Conversation":
        if wrong := _wrong_with(self.root):
            raise PydanticCustomError("conversation", "{wrong}", {"wrong": wrong})
        return self

    def __str__(self) -> str:
        return "\n\n".join(f"{SPEAKERS[turn.role]}: {turn.content}" for turn in self.root)


def _wrong_with(turns: Sequence[Message]) -> str:
    """Why turns are no conversation that a model can answer, and what to do; empty where they are one."""
    spoken = turns[1:] if turns and turns[0].role == "system" else turns
    count, before = len(turns), len(turns) - len(spoken)
    if not any(turn.role == "user" for turn in spoken):
        return "no user turn stands before the answer; drop the row"
    for number, turn in enumerate(turns, 1):
        if not turn.content.strip():
            return f"turn {number} of {count} ({turn.role}) is empty; fill it or drop the row"
    for number, turn in enumerate(spoken, before + 1):
        if turn.role == "system":
            return f"turn {number} of {count} is a system turn, which can only be the first; move it or drop the row"
        if number > 1 and turn.role == turns[number - 2].role:
            return f"turns {number - 1} and {number} of {count} are both of the {turn.role}; join them or drop the row"
    if spoken[0].role != "user":
        return "the assistant speaks first, and a conversation begins with the user; leave that turn out"
    if spoken[-1].role != "user":
        return "the assistant speaks last, and a prompt ends with the user; leave that turn out"
    return ""


def prompt_of(turns: Sequence[Message]) -> "str | Conversation":
    """The prompt that turns are: of a single turn its text. Raises ValidationError where they are no conversation."""
    if len(turns) == 1 and turns[0].role == "user" and turns[0].content.strip():
        return turns[0].content
    return Conversation(tuple(turns))


def _read(value: Any) -> "str | Conversation":
    """A prompt as a file holds it."""
    wrong = ""
    if isinstance(value, list | tuple):
        try:
            value = prompt_of([one if isinstance(one, Message) else Message.model_validate(one) for one in value])
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            wrong = problem["msg"] if problem["type"] == "conversation" else NO_MESSAGES
    if isinstance(value, Conversation) and (length := len(str(value))) > MAX_PROMPT_CHARACTERS:
        wrong = f"its turns have {length:,} characters, at most {MAX_PROMPT_CHARACTERS:,} are allowed; shorten them"
    if wrong:
        raise PydanticCustomError("conversation", "{wrong}", {"wrong": wrong})
    if not isinstance(value, str | Conversation):
        raise PydanticKnownError("string_type")
    if not value:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    if isinstance(value, str) and len(value) > MAX_PROMPT_CHARACTERS:
        raise PydanticKnownError("string_too_long", {"max_length": MAX_PROMPT_CHARACTERS})
    return value


NO_MESSAGES = 'no list of messages; write each as {"role": "user" (or assistant, system), "content": a text}'

UserPrompt = Annotated[str | Conversation, BeforeValidator(_read)]
"""What a user asks: a text or, where it has several turns or a system turn of its own, a conversation."""


def messages_of(prompt: str | Conversation) -> tuple[Message, ...]:
    """The turns of a prompt, for a chat template; the last one is the user's."""
    return prompt.root if isinstance(prompt, Conversation) else (Message(role="user", content=prompt),)


def said_in(prompt: str | Conversation) -> str:
    """All that is said in a prompt, without the names of the speakers."""
    return "\n".join(turn.content for turn in messages_of(prompt))


def questions_in(prompt: str | Conversation) -> Iterator[str]:
    """The texts of all prompts that stand in one, itself first: each run of turns from one of the user's to another.

    A system turn is left out: it makes no other prompt of what a user asks.
    """
    turns = [turn for turn in messages_of(prompt) if turn.role != "system"]
    asked = [place for place, turn in enumerate(turns) if turn.role == "user"]
    runs = ((first, last) for first in asked for last in reversed(asked) if first <= last)
    return (str(prompt_of(turns[first : last + 1])) for first, last in runs)
