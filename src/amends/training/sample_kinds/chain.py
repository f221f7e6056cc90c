"""Chains: the neutral question about a mistake, answered by its analysis and a better answer in one text."""

from collections.abc import Iterable

from amends.prompts import Language
from amends.records import Chain, Instruction
from amends.stages.attempts import NOT_TRIED
from amends.stages.chain import opening
from amends.text.words import gap_after
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

ABLE_FROM = 0.25  # of the analyses, those whose first attempt at an answer passed: fewer are luck, and no ability


def is_able(rows: Iterable[Chain]) -> bool:
    """Whether a model writes chains: a quarter or more of its analyses were gone on with at the first attempt."""
    tried = passed = 0
    for row in rows:
        tried += row.reason not in NOT_TRIED
        passed += row.passed and row.attempts == 1
    return bool(tried) and passed / tried >= ABLE_FROM


def _chains(sets: Sets, language: Language) -> Composed:
    """None at all of a model that is not able to write them."""
    rows: Iterable[Chain] = sets.get("chains", ())
    if not is_able(rows):
        return
    for row in rows:
        analysis, better = answer_text(row.analysis), answer_text(row.answer)
        if row.passed and analysis and better:
            begun = opening(analysis, language)
            question = language.chain_question(row.prompt, row.response)
            yield row.prompt, sample("chain", row.id, question, f"{begun}{gap_after(begun)}{better}")


def _chain_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    language = planned.language
    for mistake, made in planned.mistakes(row) if name == "instructions" else ():
        asked = language.chain_question(row.prompt, mistake)
        begun = opening(planned.openings["analyze"], language)
        yield f"{asked} {begun}", made + planned.analyze.max_new_tokens + planned.chain.max_new_tokens


register_sample_kind(
    SampleKind(
        name="chain",
        title="An analysis and a better answer in one text, of models that write them.",
        judges=True,
        needs=("chains",),
        make=shared("chain", _chains),
        parts=_chain_parts,
    )
)
