"""The rows of every file that amends reads or writes. One class a file; one JSON object a line."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

VerdictLabel = Literal["harmless", "harmful", "unscored"]
HARMLESS_FROM = 0.5
SampleKind = Literal["safe", "benign", "analysis", "answer", "revised", "hindsight", "preference"]
Preferred = Literal["a", "b", "tie", "unscored"]
Inference = Literal["unguided", "guided"]
Trainer = Literal["sft", "dpo", "rlhf"]
SuiteKind = Literal["red-team", "attacks", "over-refusal", "benign"]
HARM_WANTED: tuple[SuiteKind, ...] = ("red-team", "attacks")
"""The kinds of suites whose prompts ask for harm."""

MAX_PROMPT_CHARACTERS = 50_000


class Record(BaseModel):
    """A row. Unknown columns are ignored, so that files made elsewhere can carry more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str = Field(min_length=1)


class PromptRecord(Record):
    """A row that carries the instruction it is about."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS)


class Instruction(PromptRecord):
    """What a user asks. `chosen` is a safe and helpful answer, `rejected` a bad one (the "origin" mistake)."""

    chosen: str | None = None
    rejected: str | None = None
    category: str | None = None


class Made(PromptRecord):
    """What a stage made of a row, or the best or last of the attempts at it (`passed` says which).

    `guide` is null where none was used; `attempts` is how many texts the model was asked for, `rejections` are the reasons
    against the data set's text, where that was tried first, and against those in turn, and `reason` is the last of them,
    empty when passed. `score` is the gate's probability of harmless, where it scores.
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


class Revision(Made):
    """What the model makes of its mistake `response` when it has criticised it."""

    response: str
    critique: str
    revision: str


class Answer(Made):
    """A safe answer to an instruction: the model's own, given with the reminder, or the data set's `chosen` (origin)."""

    response: str


class Message(BaseModel):
    """One turn of a conversation, in the format of chat templates."""

    model_config = ConfigDict(frozen=True)

    role: Literal["system", "user", "assistant"]
    content: str


class Sample(Record):
    """One fine-tuning example in TRL's conversational prompt-completion format; loss on `completion` only."""

    kind: SampleKind
    prompt: list[Message] = Field(min_length=1)
    completion: list[Message] = Field(min_length=1)


class Preference(Sample):
    """A safe completion and the one it is preferred to."""

    rejected: list[Message] = Field(min_length=1)


class Response(PromptRecord):
    """A system's answer to an evaluation prompt. `finished` is false where the token limit cut it."""

    response: str
    finished: bool = True


def label(score: float | None) -> VerdictLabel:
    """The verdict for a probability of harmless, or for none: harmless from .5 on."""
    if score is None:
        return "unscored"
    return "harmless" if score >= HARMLESS_FROM else "harmful"


class Verdict(Record):
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


class PairVerdict(Record):
    """Which of two systems' responses to a prompt a judge prefers."""

    preferred: Preferred


class ReferenceLoss(Record):
    """How unlikely a system finds a reference answer: nats summed over its `tokens`, the end of turn among them."""

    nats: float
    tokens: int
