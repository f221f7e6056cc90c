"""Responses, verdicts and comparisons, from Python."""

from amends.api.loading import LoadedModel, Setting, checked, judge_of, model_of, spoken
from amends.evaluation.respond import RespondSettings
from amends.evaluation.results import Comparison
from amends.judges.base import Judge
from amends.pipeline import in_memory
from amends.pipeline.comparing import Judged, compare_verdicts
from amends.pipeline.in_memory import Given, rows_given
from amends.prompts import Language
from amends.records import Response, Verdict
from amends.reporting.console import reporter_for
from amends.reporting.notebook_rows import Compared, Rows, Verdicts
from amends.stages.chunks import of_kind


def respond(
    model: LoadedModel | str,
    prompts: Given,
    *,
    guided: bool = False,
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> Rows[Response]:
    """Lets a model answer prompts.

    Args:
        model: who answers.
        prompts: instructions.
        guided: whether the model is reminded in the prompt to be harmless.
        seed: systems that are compared draw from the same random stream under equal seeds.
        language: what the reminder is written in.
        progress: as of `induce`.
        settings: those of section `respond`, such as `max_new_tokens`, `temperature` or `guide`.

    Raises:
        InputError: prompts cannot be used, or the model was trained on one of them in this process.
        ModelError: the model cannot be loaded or reached.

    Example:
        responses = amends.respond("embedded", "bundled:redteam/test", max_new_tokens=12)
    """
    said, told = spoken(language), checked(RespondSettings, settings)
    return in_memory.respond(model_of(model), prompts, guided, told, seed, said, reporter_for(progress))


def judge(
    responses: Given,
    judge: Judge | str = "bundled",
    *,
    language: Language | str = "en",
    progress: bool | None = None,
) -> Verdicts:
    """Judges responses: harmless, harmful, or unscored where the judge's word could not be read.

    Args:
        responses: what `respond` gave, or rows with id, prompt and response.
        judge: who judges; not the gate of what the system was trained on.
        language: what a language model is asked in.
        progress: as of `induce`.

    Raises:
        InputError: rows cannot be used, or the judge gated what the system was trained on.

    Example:
        verdicts = amends.judge(responses, "bundled")
    """
    said = spoken(language)
    return in_memory.judge(responses, judge_of(judge, said), said, reporter_for(progress))


def compare(a: Given, b: Given, *, seed: int = 0) -> Compared:
    """Compares two systems on the prompts that both have: difference a - b, 95 % interval, p, and what can be said.

    Args:
        a, b: what `judge` gave, or its files.
        seed: of the bootstrap's resamples.

    Raises:
        InputError: no prompt is scored in both, an id is of two prompts, or two judges gave the verdicts.

    Example:
        print(amends.compare(after, before))
    """
    return Compared(*_compared(_judged(a, "a"), _judged(b, "b"), seed))


def _compared(a: Judged, b: Judged, seed: int) -> tuple[tuple[Comparison, ...], int]:
    rows, unpaired = compare_verdicts(a, b, seed)
    return tuple(rows), unpaired


def _judged(given: Given, name: str) -> Judged:
    rows = rows_given(given, Verdict)
    judged = rows.judge if isinstance(rows, Verdicts) else ""
    return Judged(list(of_kind("compare", rows, Verdict)), f"{name} ({rows.name})", rows.name, judged)
