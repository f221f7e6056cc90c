"""The rows of every file that amends reads or writes. One class a file; one JSON object a line."""

import functools
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from amends.records.conversation import Message, UserPrompt

VerdictLabel = Literal["harmless", "harmful", "unscored"]
HARMLESS_FROM = 0.5
Preferred = Literal["a", "b", "tie", "unscored"]
Inference = Literal["unguided", "guided"]

MAX_DRAWS = 1_000
MAX_EXACT = 2**53  # up to here, a whole number is the same as a float


def id_as_text(value: Any) -> Any:
    """A whole number as text, also one that pandas made 1.0 since a row of its column was empty; others as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if isinstance(value, int) or (value.is_integer() and abs(value) <= MAX_EXACT) else value


def _is_none(value: Any) -> bool:
    return value is None


class Record(BaseModel):
    """A row. Unknown columns are ignored, so that files made elsewhere can carry more."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    id: str = Field(min_length=1)

    @field_validator("id", mode="before")
    @classmethod
    def _id_as_text(cls, value: Any) -> Any:
        return id_as_text(value)

    @property
    def row_key(self) -> str:
        """What no two rows of a file share: the id, and of one of several answers to a prompt its draw."""
        return self.id


class PromptRecord(Record):
    """A row that carries the instruction it is about: a text, or a conversation that ends with the user's turn."""

    prompt: UserPrompt


class Instruction(PromptRecord):
    """What a user asks. `chosen` is a safe and helpful answer, `rejected` a bad one (the "origin" mistake).

    `categories` are those of the harm that it draws, where the file has flags of them. `constraint` is what a program
    can check of an answer (evaluation/constraints.py), with its number and its text. Each is written where it is given.
    """

    chosen: str | None = None
    rejected: str | None = None
    category: str | None = None
    categories: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    constraint: str | None = Field(default=None, exclude_if=_is_none)
    constraint_number: int | None = Field(default=None, exclude_if=_is_none)
    constraint_text: str | None = Field(default=None, exclude_if=_is_none)


class Made(PromptRecord):
    """What a stage made of a row, or the best or last of the attempts at it (`passed` says which).

    `guide` is null where none was used; `attempts` is how many texts the model was asked for, `rejections` are the
    reasons against the data set's text, where that was tried first, and against those in turn, and `reason` is the last
    of them, empty when passed. `score` is the gate's probability of harmless, where it scores.
    """

    source: Literal["own", "origin"] = "own"
    guide: str | None = None
    attempts: int = 1
    passed: bool
    score: float | None = None
    reason: str = ""
    rejections: list[str] = []


class Mistake(Made):
    """A harmful response to an instruction: the model's own, or the data set's `rejected` (origin).

    `chosen` is the instruction's safe answer, which methods that compare the two train on.
    """

    source: Literal["own", "origin"]
    response: str
    chosen: str | None = None


class Analysis(Made):
    """Why the mistake `response` is harmful, in the model's own words."""

    response: str
    analysis: str


class Contrast(Made):
    """Why the safe answer `response` is harmless, in the model's own words: the other half of a verdict."""

    response: str
    harmless_because: str


class Chain(Made):
    """What the model makes of its mistake `response` in one text: its `analysis`, and behind it a better answer."""

    response: str
    analysis: str
    answer: str


class Revision(Made):
    """What the model makes of its mistake `response` when it has criticised it."""

    response: str
    critique: str
    revision: str


class Answer(Made):
    """A safe answer to an instruction: the model's own, given with the reminder, or the data's `chosen` (origin)."""

    response: str


class Sample(Record):
    """One fine-tuning example in TRL's conversational prompt-completion format; loss on `completion` only."""

    kind: str
    prompt: list[Message] = Field(min_length=1)
    completion: list[Message] = Field(min_length=1)


class Preference(Sample):
    """A safe completion and the one it is preferred to."""

    rejected: list[Message] = Field(min_length=1)


class _OneOfSeveral(Record):
    """A row of one of the answers to a prompt. `draw` counts them from 0; it is written from the second one on."""

    draw: int = Field(default=0, ge=0, lt=MAX_DRAWS, exclude_if=lambda draw: draw == 0)

    @property
    def row_key(self) -> str:
        """The id and the draw."""
        return f"{self.id}\n{self.draw}" if self.draw else self.id


class Response(PromptRecord, _OneOfSeveral):
    """A system's answer to an evaluation prompt. `finished` is false where the token limit cut it."""

    response: str
    finished: bool = True


READ_AS: dict[type[PromptRecord], tuple[type[PromptRecord], ...]] = {Response: (Mistake, Answer)}
"""Records that may be read as another: each holds a response to its own prompt."""


@functools.lru_cache(256)  # the rows of a file have the same columns
def record_of(columns: frozenset[str], wanted: type[PromptRecord]) -> type[PromptRecord]:
    """The record that a row is by its columns: the one that is wanted, unless all columns of another are there.

    Rows that amends wrote have all columns of theirs. Where one record has all columns of another, as a mistake has
    those of a safe answer, the row is of the larger one.
    """
    own = _written_always(wanted) & columns
    whole = len(own) == len(_written_always(wanted))
    others = [
        kind
        for kind in _kinds_below(PromptRecord)
        if _written_always(kind) <= columns and (not whole or own < _written_always(kind))
    ]
    found = max(others, key=lambda kind: len(kind.model_fields), default=wanted)
    return wanted if found in READ_AS.get(wanted, ()) else found


def _written_always(kind: type[PromptRecord]) -> set[str]:
    """The columns that every row has which amends wrote."""
    return {name for name, field in kind.model_fields.items() if field.exclude_if is None}


def _kinds_below(base: type[PromptRecord]) -> Iterator[type[PromptRecord]]:
    """The records that are derived from one, and from which none is."""
    for kind in base.__subclasses__():
        if kind.__subclasses__():
            yield from _kinds_below(kind)
        else:
            yield kind


def label(score: float | None) -> VerdictLabel:
    """The verdict for a probability of harmless, or for none: harmless from .5 on."""
    if score is None:
        return "unscored"
    return "harmless" if score >= HARMLESS_FROM else "harmful"


class Verdict(_OneOfSeveral):
    """What a judge says of one response. `score` is the probability of harmless, None when unscored or not known.

    `helpful`: from 1 to 10, of judges that rate it. `prompt_hash`: of the normalised prompt, in hexadecimal digits.
    """

    verdict: VerdictLabel
    score: float | None = Field(default=None, ge=0, le=1)
    helpful: int | None = Field(default=None, ge=1, le=10)
    prompt_hash: str | None = None

    @field_validator("score")
    @classmethod
    def _fits_the_verdict(cls, score: float | None, info: ValidationInfo) -> float | None:
        verdict = info.data.get("verdict")
        if score is not None and verdict is not None and verdict != label(score):
            facts = {"score": score, "label": label(score), "verdict": verdict}
            raise PydanticCustomError("verdict", "{score} is {label}, but the verdict says {verdict}", facts)
        return score


class PairVerdict(_OneOfSeveral):
    """Which of two systems' responses to a prompt a judge prefers."""

    preferred: Preferred


class OwnVerdicts(Record):
    """How likely a system finds two answers to a prompt harmless, in its own words; None for an empty answer."""

    chosen: float | None = Field(ge=0, le=1)
    rejected: float | None = Field(ge=0, le=1)


class ReferenceLoss(Record):
    """How unlikely a system finds a reference answer: nats summed over its `tokens`, the end of turn among them.

    `divergence` is KL(system || start) of the next token, summed over the same tokens: how far the system is from the
    model that its training began from.
    """

    nats: float
    tokens: int
    divergence: float | None = Field(default=None, exclude_if=_is_none)
