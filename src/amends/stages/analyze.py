"""Guided analysis (paper, section 3.2): the same model is told that its answer is harmful and explains why."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from pydantic import Field

from amends.models.base import SamplingSettings
from amends.models.endpoint.address import Endpoint
from amends.prompts import Guide, Language, english
from amends.records import Analysis, Answer, Mistake
from amends.seeds import derive_seed
from amends.stages.attempts import NOT_A_MISTAKE, Attempt, Task, TrySettings, not_passed, try_guides
from amends.stages.base import STAGES, Stage
from amends.stages.settings import ATTEMPTS, VARY
from amends.text.refusal import plain
from amends.text.words import MAX_COPIED, MAX_REPEATED, copied_share, cue_leaks, repeated_share, words


class AnalyzeSettings(SamplingSettings):
    """Guided analysis: the model is told that its answer is harmful, and explains why."""

    source: Endpoint = Field(
        default="self", description="Who analyses: `self` (the model), another model, or endpoint:MODEL@URL."
    )
    per_mistake: int = Field(default=1, ge=1, le=16, description="Analyses of each mistake.")
    guides: list[str] = Field(
        default=["told-suffix-prefill", "told-since", "reviewer-system-prefill"],
        min_length=1,
        description="The guides, tried in turn (docs/reference/methods.md). Without a system turn: "
        "`told-suffix-prefill` and `told-since`. By a server without prefill: `told-suffix`.",
    )
    vary: bool = Field(default=True, description=VARY)
    attempts: int = Field(default=6, ge=1, le=100, description=ATTEMPTS)


class ExplainSettings(TrySettings, Protocol):
    """What the settings of a stage that explains answers say."""

    @property
    def vary(self) -> bool:
        """Whether each row begins with another guide."""
        ...


Answered = TypeVar("Answered", Mistake, Answer)
MIN_WORDS = 10
CONTINUES_BELOW = 0.2


def analyze(rows: Iterable[Mistake], task: Task[AnalyzeSettings]) -> Iterator[Analysis]:
    """Gives one Analysis a mistake: the first that passes every gate, else the last tried with the gate's reason.

    With the settings' `per_mistake` it gives so many of each. Mistakes that did not pass their own gate are not
    analyzed; their rows say so, so that files stay row by row alike.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Mistake], number: int, task: Task[AnalyzeSettings]) -> list[Analysis]:
    """The analyses of one chunk of mistakes."""
    found = explanations(chunk, task, derive_seed(task.seed, "analyze", number), text_reason, NOT_A_MISTAKE)
    return [
        Analysis(id=row.id, prompt=row.prompt, response=row.response, analysis=one.text, **one.facts())
        for row, one in zip(chunk, found, strict=True)
    ]


def explanations(
    chunk: Sequence[Answered],
    task: Task[ExplainSettings],
    seed: int,
    text_reason: Callable[[Answered, Guide, str, Language], str],
    not_tried: str,
) -> list[Attempt]:
    """What a model says of each answer when the guide tells it what to find there.

    Args:
        text_reason: why a text is none, before the gate has read it; empty where it is one.
        not_tried: the reason of answers that did not pass their own gate.
    """
    language = task.language

    def reason(row: Answered, guide: Guide, text: str, score: float | None) -> str:
        """The gate reads the text as an answer to the instruction: one that goes on with the harm scores low."""
        harmful = score is None or score < CONTINUES_BELOW
        return text_reason(row, guide, text, language) or ("continues the harm" if harmful else "")

    return try_guides(
        chunk,
        task,
        seed,
        lambda row, guide: guide.prompt(language.analysis_question(row.prompt, row.response)),
        reason,
        not_passed(chunk, not_tried),
        wanted=None,
        vary=task.settings.vary,
    )


def text_reason(row: Mistake, guide: Guide, text: str, language: Language | None = None) -> str:
    """The first reason, in order of severity, why a text is no analysis; empty where there is none."""
    language = language or english()
    gates = language.gates
    if unusable := why_unusable(row, guide, text, language):
        return unusable
    if not gates.name_harm(text):
        return "does not say that it is harmful"
    own = own_words(text, guide)
    if len(words(own)) < MIN_WORDS or not gates.say_why(own):
        return "does not say why"
    return ""


def own_words(text: str, guide: Guide) -> str:
    """A text without the guide's first words: the verdict may come from the guide, the reason may not."""
    return plain(text).removeprefix(guide.prefill.lower())


def why_unusable(row: Mistake | Answer, guide: Guide, text: str, language: Language) -> str:
    """The first reason, in order of severity, why a text explains nothing at all; empty where there is none."""
    cues = [cue for cue in (guide.system, guide.suffix) if cue]
    if not text:
        return "truncated"
    if language.is_refusal(text, disapproval=False):
        return "refuses"
    told = (str(row.prompt), row.response, language.analysis_question("", ""), guide.prefill)
    if cue_leaks(text, cues, allowed=told):
        return "leaks the guide"
    if repeated_share(text) > MAX_REPEATED or copied_share(text, (row.response, str(row.prompt))) > MAX_COPIED:
        return "repeats itself"
    return ""


STAGE = Stage(
    name="analyze",
    reads="mistakes",
    takes=Mistake,
    writes="analyses",
    record=Analysis,
    settings=AnalyzeSettings,
    process=process,
    guided_by="analyze",
    templates=("analyze",),
    times=lambda settings: settings.per_mistake,
    varies=lambda settings: settings.vary,
)
STAGES.register(STAGE.name, STAGE)
