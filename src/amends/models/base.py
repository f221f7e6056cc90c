"""What a model is asked, what it answers, and what everything else needs of it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from amends.errors import ModelError
from amends.models.turns import Turns
from amends.progress import ProgressCallback, no_progress
from amends.records import Message
from amends.settings import Settings
from amends.text.reasoning import without_reasoning


@dataclass(frozen=True)
class Prompt:
    """Messages to answer, and the words with which the answer is made to begin (`prefill`, not part of the output)."""

    messages: tuple[Message, ...]
    prefill: str = ""


ROWS_BETWEEN_SAVES = 64
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


class AnswerLoss(NamedTuple):
    """How unlikely a model finds an answer, in nats summed over its tokens, and its divergence from another there."""

    nats: float
    tokens: int
    divergence: float | None = None


class Model(ABC):
    """A model that answers prompts. What is not written in a subclass is that of a model which takes any prompt.

    Attributes:
        name: what it is called, as a user names it.
        adapter: the PEFT adapter directory that it answers with, if any.
        system_prompt: the system turn of all its conversations that have none of their own, if any.
        elsewhere: whether another process holds it, so that asking costs a request, and loads nothing here.
        trained_on: a digest of the samples that one which was trained elsewhere was trained on, if any.

    Example:
        @amends.register_model("parrot")
        class Parrot(amends.Model):
            name = fingerprint = "parrot"

            def generate(self, prompts, sampling, seed, progress=no_progress):
                return [Generation(prompt.messages[-1].content, True, 1) for prompt in prompts]
    """

    name: str
    adapter: Path | None = None
    system_prompt: str | None = None
    elsewhere: bool = False
    trained_on: str | None = None

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identifies weights, tokenizer and settings: on one device equal fingerprints give equal outputs."""

    @abstractmethod
    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers in the order of `prompts`; a function of the first three arguments alone. Reports finished rows."""

    def generate_until_taken(
        self, turns: Turns, sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> None:
        """Asks rows, each as often as it takes. A function of the first three arguments, as `generate` is.

        By default in rounds: a round begins when the one before is answered whole. Models that can ask a row again
        beside rows that are still at an earlier attempt do so.
        """
        asked = turns.first()
        while asked:
            prompts = [turns.prompt(turn) for turn in asked]
            made = self.generate(prompts, sampling, asked[0].round_seed(seed), progress)
            asked = turns.following(list(zip(asked, made, strict=True)))

    @property
    def identity(self) -> str:
        """Its fingerprint whatever it is told by a system prompt: two of one identity are one model."""
        return self.fingerprint

    @property
    def title(self) -> str:
        """Its name where others stand beside it: of a server with the host, and nothing else of the address."""
        return self.name

    @property
    def label(self) -> str:
        """How a message about it begins."""
        return f"{self.name}:"

    @property
    def capacity(self) -> int | None:
        """Rows that fill its device; None where the caller's own number does."""
        return None

    @property
    def rows_between_saves(self) -> int:
        """Answers that a failure may lose: few where each was paid for."""
        return self.capacity or ROWS_BETWEEN_SAVES

    def check(self, prompt: Prompt) -> None:  # noqa: B027  (most take any prompt)
        """Raises ModelError where such a prompt cannot be asked; loads no weights, and asks for no answer to it."""

    def reach(self) -> None:
        """Raises ModelError where it is elsewhere and does not answer a short prompt; loads no weights."""
        if self.elsewhere:
            self.generate([SHORT], Sampling(max_new_tokens=1, temperature=0.0), 0)

    def remarks(self) -> list[str]:
        """What is to be said before it is used, though nothing is refused."""
        return []

    @property
    def says_losses(self) -> bool:
        """Whether it says how likely it finds given answers."""
        return type(self).answer_losses is not Model.answer_losses

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
        """Negative log-likelihood in nats, summed over each answer's tokens, and their number.

        With its end of turn, unless the answer is an opening that goes on (`ended` is false). Raises ModelError where
        the model does not say how likely it finds given answers.
        """
        raise ModelError(f"{self.label} says no losses of given answers; name a model that is loaded here")

    def answer_divergences(self, pairs: Sequence[tuple[Prompt, str]], start: "Model") -> list[AnswerLoss]:
        """Losses of answers with their ends of turn, and KL(self || start) in nats, summed over the same tokens.

        Raises ModelError where either does not say the probabilities of all next tokens.
        """
        raise ModelError(f"{self.label} says no probabilities of tokens; name a model that is loaded here")

    def heed(self, other: "Model") -> None:  # noqa: B027  (most refuse nothing)
        """Refuses from now on what another one of its fingerprint refuses: it is used in that one's place."""

    def release(self) -> None:  # noqa: B027  (some hold nothing)
        """Frees what it holds; the next use loads it again."""


class SamplingSettings(Settings):
    """How a stage draws tokens. Temperature .7 is the one at which the embedded model's yields were measured."""

    max_new_tokens: int = Field(default=64, ge=1, le=4096, description="Tokens after which a text is cut.")
    temperature: float = Field(default=0.7, ge=0, le=2, description="How freely tokens are drawn; 0 is greedy.")
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="Tokens are drawn from the most likely ones that have this share together."
    )

    def sampling(self) -> Sampling:
        """What a generator is told of it."""
        return Sampling(self.max_new_tokens, self.temperature, self.top_p)


def answered(text: str, finished: bool, tokens: int) -> Generation:
    """What a model wrote, as its answer: without reasoning. One that is reasoning alone was cut before its answer."""
    answer = without_reasoning(text)
    return Generation(answer, finished and bool(answer or not text.strip()), tokens)
