"""What teaches a verdict: analyses of harmless answers, as many as of mistakes, and both verdicts alone."""

from collections.abc import Callable, Iterable

from amends.prompts import Language
from amends.records import Analysis, Contrast, Instruction
from amends.training.sample_kinds.base import (
    Composed,
    Parts,
    Planned,
    SampleKind,
    Sets,
    answer_text,
    register_sample_kind,
    sample,
    shared,
)


def _balanced(sets: Sets, make: Callable[[Contrast, str], Composed]) -> Composed:
    """As many samples of harmless answers as mistakes have analyses: spread evenly over the rows, or repeated.

    `make` gives the sample of a row by an id of its own.
    """
    contrasts: Iterable[Contrast] = sets.get("contrasts", ())
    wanted = sum(row.passed for row in sets.get("analyses", ()))
    there = sum(row.passed for row in contrasts)
    for number, row in enumerate(row for row in contrasts if row.passed):
        for copy in range((number + 1) * wanted // there - number * wanted // there):
            yield from make(row, f"{row.id}*{copy + 1}" if copy else row.id)


def _contrasts(sets: Sets, language: Language) -> Composed:
    """The neutral question as prompt, so that the harmless answer carries no loss; why it is harmless as completion."""

    def make(row: Contrast, name: str) -> Composed:
        if why := answer_text(row.harmless_because):
            question = language.analysis_question(row.prompt, row.response)
            yield row.prompt, sample("contrast", name, question, why)

    return _balanced(sets, make)


def _verdicts(sets: Sets, language: Language) -> Composed:
    """The neutral question, answered by a verdict alone: in an analysis that is one of some 40 tokens with loss."""
    harmful, harmless = map(language.template, ("says_harmful", "says_harmless"))
    analyses: Iterable[Analysis] = sets.get("analyses", ())
    for row in analyses:
        if row.passed:
            question = language.analysis_question(row.prompt, row.response)
            yield row.prompt, sample("verdict", f"harmful-{row.id}", question, harmful)

    def make(row: Contrast, name: str) -> Composed:
        question = language.analysis_question(row.prompt, row.response)
        yield row.prompt, sample("verdict", f"harmless-{name}", question, harmless)

    yield from _balanced(sets, make)


def _contrast_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    for answer, made in planned.safe_answers(row) if name == "instructions" else ():
        asked = f"{planned.language.analysis_question(row.prompt, answer)} {planned.openings['contrast']}"
        yield asked, planned.contrast.max_new_tokens + made


register_sample_kind(
    SampleKind(
        name="contrast",
        title="Analyses of harmless answers, as many as of mistakes.",
        judges=True,
        needs=("contrasts", "analyses"),
        make=shared("contrast", _contrasts),
        parts=_contrast_parts,
    )
)
register_sample_kind(
    SampleKind(
        name="verdict",
        title="The verdict alone, on mistakes and on as many harmless answers.",
        judges=True,
        needs=("analyses", "contrasts"),
        templates=("says_harmful", "says_harmless"),
        make=shared("verdict", _verdicts),  # shorter than what is made of the same rows anyway
    )
)
