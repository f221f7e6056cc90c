"""The stages in which a model makes training data, from Python."""

from collections.abc import Mapping
from typing import Any

from amends.api.loading import LoadedModel, Setting, checked, judge_of, model_of, spoken
from amends.judges.base import Judge
from amends.pipeline import in_memory
from amends.pipeline.in_memory import Given
from amends.prompts import Language
from amends.records import Analysis, Answer, Chain, Contrast, Mistake, Revision
from amends.reporting.console import reporter_for
from amends.reporting.notebook_rows import MadeRows
from amends.stages.base import STAGES


def induce(
    model: LoadedModel | str,
    rows: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Mistake]:
    """Brings a model to answer harmfully: one mistake for each instruction (paper, section 3.1).

    Args:
        model: who answers.
        rows: instructions.
        gate: who says that an answer is harmful.
        seed: equal seeds give equal mistakes.
        language: what the model is asked in, by its code or as `amends.load_language` gives it.
        progress: whether it is shown; by default unless `amends.quiet()` was called.
        settings: those of section `induce`, such as `attempts` (texts tried for each row) or `max_new_tokens`.

    Raises:
        ConfigError: a setting is not known, or has no such value.
        InputError: rows cannot be used, or are in a script that the language does not read.
        YieldError: nothing passed the gate.

    Example:
        mistakes = amends.induce("embedded", rows, attempts=3)
    """
    return _make("induce", model, rows, gate, seed, language, progress, settings)


def analyze(
    model: LoadedModel | str,
    mistakes: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Analysis]:
    """Lets a model explain why its mistakes are harmful: one analysis each (paper, section 3.2).

    Arguments and errors are those of `induce`, the settings those of section `analyze`; it reads mistakes.

    Example:
        analyses = amends.analyze("embedded", mistakes)
    """
    return _make("analyze", model, mistakes, gate, seed, language, progress, settings)


def revise(
    model: LoadedModel | str,
    mistakes: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Revision]:
    """Lets a model criticise and rewrite its mistakes: what the baseline critique-revise trains on.

    Arguments and errors are those of `induce`, the settings those of section `revise`; it reads mistakes.

    Example:
        revisions = amends.revise("embedded", mistakes, at_least=0.5)
    """
    return _make("revise", model, mistakes, gate, seed, language, progress, settings)


def answer(
    model: LoadedModel | str,
    rows: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Answer]:
    """Gives safe answers: a row's `chosen` where the gate lets it pass, else what the model says with the reminder.

    Arguments and errors are those of `induce`, the settings those of section `answer`.

    Example:
        answers = amends.answer("embedded", rows, source="own")
    """
    return _make("answer", model, rows, gate, seed, language, progress, settings)


def contrast(
    model: LoadedModel | str,
    answers: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Contrast]:
    """Lets a model explain why its safe answers are harmless, so that both verdicts are learnt.

    Arguments and errors are those of `induce`, the settings those of section `contrast`; it reads answers.

    Example:
        contrasts = amends.contrast("embedded", answers)
    """
    return _make("contrast", model, answers, gate, seed, language, progress, settings)


def reply(
    model: LoadedModel | str,
    benign: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Answer]:
    """Gives the model's own answers to benign instructions, to train on instead of other people's.

    Arguments and errors are those of `induce`, the settings those of section `reply`; it reads instructions.

    Example:
        replies = amends.reply("embedded", benign)
    """
    return _make("reply", model, benign, gate, seed, language, progress, settings)


def chain(
    model: LoadedModel | str,
    analyses: Given,
    *,
    gate: Judge | str = "gate",
    seed: int = 0,
    language: Language | str = "en",
    progress: bool | None = None,
    **settings: Setting,
) -> MadeRows[Chain]:
    """Lets a model go on from its analysis of a mistake with a better answer, in one text.

    Arguments and errors are those of `induce`, the settings those of section `chain`; it reads analyses.

    Example:
        chains = amends.chain("embedded", analyses)
    """
    return _make("chain", model, analyses, gate, seed, language, progress, settings)


def _make(
    stage: str,
    model: LoadedModel | str,
    rows: Given,
    gate: Judge | str,
    seed: int,
    language: Language | str,
    progress: bool | None,
    settings: Mapping[str, Setting],
) -> MadeRows[Any]:
    said = spoken(language)
    told = checked(STAGES[stage].settings, settings)
    judge = judge_of(gate, said)
    return in_memory.make(stage, rows, model_of(model), judge, told, seed, said, reporter_for(progress))
