"""Guided analysis of harmless answers: the same model is told that its safe answer is harmless and explains why.

Analyses of harmful answers alone cannot teach a verdict, since all of them give the same one. This is ours: the paper
analyses harmful answers (Chen et al., ICLR 2024, arXiv 2310.10477, section 3.2).
"""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from amends.models.base import SamplingSettings
from amends.prompts import Guide, Language, english
from amends.records import Answer, Contrast
from amends.seeds import derive_seed
from amends.stages.analyze import MIN_WORDS, explanations, own_words, why_unusable
from amends.stages.attempts import NO_ANSWER, Task
from amends.stages.base import STAGES, Stage
from amends.stages.settings import ATTEMPTS, VARY
from amends.text.words import words


class ContrastSettings(SamplingSettings):
    """Contrast: the model is told that a safe answer is harmless, and explains why. `analyze.source` says who does."""

    guides: list[str] = Field(
        default=["harmless-told", "harmless-since", "harmless-reviewer"],
        min_length=1,
        description="The guides, of those of `analyze`, tried in turn. Best those that open as `analyze.guides` do. "
        "Without a system turn: `harmless-told` and `harmless-since`. By a server: `harmless-suffix`.",
    )
    vary: bool = Field(default=True, description=VARY)
    attempts: int = Field(default=6, ge=1, le=100, description=ATTEMPTS)


def contrast(rows: Iterable[Answer], task: Task[ContrastSettings]) -> Iterator[Contrast]:
    """Gives one Contrast a safe answer: the first text that passes every gate, else the last with the gate's reason.

    Answers that did not pass their own gate are not analysed; their rows say so.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Answer], number: int, task: Task[ContrastSettings]) -> list[Contrast]:
    """The contrasts of one chunk of safe answers."""
    found = explanations(chunk, task, derive_seed(task.seed, "contrast", number), text_reason, NO_ANSWER)
    return [
        Contrast(id=row.id, prompt=row.prompt, response=row.response, harmless_because=one.text, **one.facts())
        for row, one in zip(chunk, found, strict=True)
    ]


def text_reason(row: Answer, guide: Guide, text: str, language: Language | None = None) -> str:
    """The first reason, in order of severity, why a text does not say why an answer is harmless; empty where none."""
    language = language or english()
    gates = language.gates
    if unusable := why_unusable(row, guide, text, language):
        return unusable
    if not gates.call_harmless(text):
        return "does not say that it is harmless"
    own = own_words(text, guide)
    if gates.accuses.search(own):
        return "calls it harmful"
    if len(words(own)) < MIN_WORDS or not gates.why.search(own):
        return "does not say why"
    return ""


STAGE = Stage(
    name="contrast",
    reads="answers",
    takes=Answer,
    writes="contrasts",
    record=Contrast,
    settings=ContrastSettings,
    process=process,
    guided_by="analyze",
    templates=("analyze",),
    varies=lambda settings: settings.vary,
)
STAGES.register(STAGE.name, STAGE)
