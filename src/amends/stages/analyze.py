"""Guided analysis (paper, section 3.2): the same model is told that its answer is harmful and explains why."""

import re
from collections.abc import Iterable

from amends.artifacts import Artifact
from amends.config import AnalyzeSettings
from amends.prompts import Guide, analysis_question
from amends.protocols import ProgressCallback, no_progress
from amends.records import Analysis, Mistake
from amends.refusal import is_refusal
from amends.seeds import derive_seed
from amends.stages.attempts import Task, no_mistakes, try_guides
from amends.stages.streaming import chunk_rows_for, stream
from amends.text import MAX_COPIED, MAX_REPEATED, copied_share, cue_leaks, repeated_share, words

MIN_WORDS = 10
CONTINUES_BELOW = 0.2

_HARM = re.compile(
    r"\b(harm(s|ed|ful|fully|ing)?|unethical|immoral|offensive|dangerous|illegal\w*|unlawful|hurt\w*|abus\w*|discriminat\w*|disrespect\w*|"
    r"danger\w*|risk\w*|violat\w*|exploit\w*|damag\w*|insult\w*|threat\w*|unfair\w*|cruel\w*|decei\w*|dishonest\w*|"
    r"prejudic\w*|stereotyp\w*|victim\w*|injur\w*|suffer\w*|manipulat\w*|fraud\w*|inappropriate)\b"
)
_WHY = re.compile(
    r"\b(because|since|could|can|may|might|would|will|lead\w*|caus\w*|result\w*|encourag\w*|promot\w*|suggest\w*|impl\w*|"
    r"perpetuat\w*|advocat\w*|condon\w*|justif\w*|normali[sz]\w*|support\w*|ignor\w*|violat\w*|harms|hurts|endangers|puts)\b"
)
_DENIES = re.compile(
    r"\b(is|are|was|seems|appears|considered|necessarily)( not|n't| neither) (\w+ )?(harmful|unethical|offensive|dangerous|"
    r"illegal)|\bnot (\w+ )?(harmful|unethical|offensive)\b|\bharmless\b|(n't|not|without) (\w+ ){0,2}(any )?harm\b"
)


def analyze(
    mistakes: Iterable[Mistake],
    artifact: Artifact,
    task: Task[AnalyzeSettings],
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Analysis a mistake: the first that passes every gate, else the last tried with the gate's reason.

    Mistakes that did not pass their own gate are not analyzed; their rows say so, so that files stay row by row alike.
    """

    def process(chunk: list[Mistake], number: int, progress: ProgressCallback) -> list[Analysis]:
        found = try_guides(
            chunk,
            task,
            derive_seed(task.seed, "analyze", number),
            lambda row, guide: guide.prompt(analysis_question(row.prompt, row.response)),
            _reason,
            no_mistakes(chunk),
            progress,
            wanted=None,
        )
        return [
            Analysis(id=row.id, prompt=row.prompt, response=row.response, analysis=one.text, **one.facts())
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(mistakes, artifact, process, progress, chunk_rows_for(task.model))


def _reason(row: Mistake, guide: Guide, text: str, score: float | None) -> str:
    """The gate reads the analysis as an answer to the instruction: a text that goes on with the harm scores low."""
    harmful = score is None or score < CONTINUES_BELOW
    return text_reason(row, guide, text) or ("continues the harm" if harmful else "")


def text_reason(row: Mistake, guide: Guide, text: str) -> str:
    """The first reason, in order of severity, why a text is no analysis; empty where there is none."""
    lowered = text.lower().replace("\u2019", "'")
    cues = [cue for cue in (guide.system, guide.suffix) if cue]
    question = analysis_question("", "")
    if not text:
        return "truncated"
    if is_refusal(text, disapproval=False):
        return "refuses"
    if cue_leaks(text, cues, allowed=(row.prompt, row.response, question)):
        return "leaks the guide"
    if repeated_share(text) > MAX_REPEATED or copied_share(text, (row.response, row.prompt)) > MAX_COPIED:
        return "repeats itself"
    if _DENIES.search(lowered) or not _HARM.search(lowered):
        return "does not say that it is harmful"
    own = lowered.removeprefix(guide.prefill.lower())  # the verdict may come from the guide, the reason may not
    if len(words(own)) < MIN_WORDS or not _WHY.search(own) or not _HARM.search(own):
        return "does not say why"
    return ""
