"""Responses of a system to a suite's prompts, unguided or with guided inference's reminder (paper, section 3.4)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from amends.models.base import Model, Sampling, SamplingSettings
from amends.progress import observer
from amends.prompts import UNGUIDED, Guide, Language
from amends.records import MAX_DRAWS, Inference, Instruction, Response
from amends.seeds import derive_seed
from amends.stages.chunks import Work, chunk_rows_for, of_kind


class RespondSettings(SamplingSettings):
    """Answers to the prompts of the suites."""

    # At 48 tokens, 91% of the untouched embedded model's answers were cut, and harm that comes late was not seen.
    max_new_tokens: int = Field(default=96, ge=1, le=4096, description="Tokens after which an answer is cut.")
    draws: int = Field(
        default=1,
        ge=1,
        le=MAX_DRAWS,
        description="Answers to each prompt, averaged before systems are compared: prompts stay what is counted.",
    )
    guide: str = Field(default="reminder", description="The guide that reminds the model in guided inference.")
    inference: list[Inference] = Field(
        default=["unguided", "guided"],
        min_length=1,
        description="How each method is asked: without the guide, and with it.",
    )

    @model_validator(mode="after")
    def _draws_that_differ(self) -> "RespondSettings":
        if self.draws > 1 and not self.temperature:
            raise PydanticCustomError("draws", "at temperature 0 all draws are equal: name draws 1, or a temperature")
        return self


class Draw(NamedTuple):
    """A prompt, and which of several answers to it is asked for, from 0."""

    row: Instruction
    number: int


def answering_guide(settings: RespondSettings, guided: bool, language: Language, prefill: str | None = None) -> Guide:
    """What stands around the prompts of a system: the reminder of guided inference, and the method's own opening."""
    asked = language.guide("respond", settings.guide) if guided else UNGUIDED
    return asked.model_copy(update={"prefill": language.template(prefill), "keep": False}) if prefill else asked


@dataclass(frozen=True)
class RespondTask:
    """What responding works with: a system, what stands around its prompts, and how tokens are drawn.

    The seed does not depend on the system: systems that are compared draw from the same random streams, draw by draw.
    """

    model: Model
    guide: Guide
    sampling: Sampling
    seed: int

    def work(self) -> Work[Instruction | Draw, Response]:
        """What is done to each chunk of prompts."""
        return Work(process, self, chunk_rows_for(self.model))


def respond(rows: Iterable[Instruction | Draw], task: RespondTask) -> Iterator[Response]:
    """Gives one Response a prompt, with the guide's words around the prompt. Raises InputError for other rows."""
    return task.work().over(of_kind("respond", rows, Instruction, Draw))


def drawn(read: Callable[[], Iterable[Instruction]], draws: int) -> Iterator[Instruction | Draw]:
    """The prompts once for each draw, all of the first draw first. `read` gives them anew."""
    yield from read()
    yield from (Draw(row, number) for number in range(1, draws) for row in read())


def process(chunk: Sequence[Instruction | Draw], number: int, task: RespondTask) -> list[Response]:
    """The responses to one chunk of prompts."""
    asked = [row if isinstance(row, Draw) else Draw(row, 0) for row in chunk]
    answers = task.model.generate(
        [task.guide.prompt(row.prompt) for row, _ in asked],
        task.sampling,
        derive_seed(task.seed, "respond", number),
        observer(),
    )
    return [
        Response(
            id=row.id, prompt=row.prompt, response=task.guide.text(answer.text), finished=answer.finished, draw=draw
        )
        for (row, draw), answer in zip(asked, answers, strict=True)
    ]
