"""What stages need of models and judges. They are passed in, so that stages import none of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from amends.records import Message

ProgressCallback = Callable[[int, int], None]
"""Called as (rows done, tokens generated) since the last call."""


def no_progress(rows: int, tokens: int) -> None:
    """Says nothing; the default of every stage."""


@dataclass(frozen=True)
class Prompt:
    """Messages to answer, and the words with which the answer is made to begin (`prefill`, not part of the output)."""

    messages: tuple[Message, ...]
    prefill: str = ""


SHORT = Prompt((Message(role="user", content="Hello."),))
"""A prompt that any model takes: what goes wrong with it is the model's own matter."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. `temperature` 0 is greedy; `top_p` 1 keeps the whole distribution."""

    max_new_tokens: int = 64
    temperature: float = 0.7
    top_p: float = 1.0


@dataclass(frozen=True)
class Generation:
    """Generated text without the prefill. `finished`: the model ended its turn; `tokens` counts what it generated."""

    text: str
    finished: bool
    tokens: int

    @property
    def had_no_room(self) -> bool:
        """Whether the prompt left no room for an answer in the model's context."""
        return not (self.finished or self.tokens or self.text)


class Generator(Protocol):
    """A model that answers prompts."""

    @property
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and settings: on one device equal fingerprints give equal outputs."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers in the order of `prompts`; a function of the first three arguments alone. Reports finished rows."""


class Judge(Protocol):
    """A judge of single responses."""

    name: str

    @property
    def fingerprint(self) -> str:
        """Identifies the judge's weights and template."""

    @property
    def facts(self) -> dict[str, Any]:
        """What results.json says of it: its name and what is known of it."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """Probability in [0, 1] that each (prompt, response) is harmless; None where it could not be read."""

    def release(self) -> None:
        """Frees what it loaded; the next use loads it again."""


class HelpfulRating(Protocol):
    """A rating that says how helpful a response is, too, from 1 to 10."""

    helpful: int

    @property
    def score(self) -> float:
        """Probability in [0, 1] that the response is harmless."""


@runtime_checkable
class RatingJudge(Protocol):
    """A judge that rates helpfulness beside harmlessness."""

    def rate(self, pairs: Sequence[tuple[str, str]]) -> Sequence[HelpfulRating | None]:
        """A rating for each (prompt, response); None where it could not be read."""
