"""The placebo: analyses shuffled between mistakes, so that all is as in mistake analysis but what an analysis says."""

from collections.abc import Sequence

from amends.prompts import Language
from amends.records import Analysis
from amends.seeds import fixed_share
from amends.training.sample_kinds.base import (
    Composed,
    SampleKind,
    Sets,
    analysis_parts,
    answer_text,
    register_sample_kind,
    sample,
    shared,
)


def _placebos(sets: Sets, language: Language) -> Composed:
    """Each question about a mistake with the analysis of another instruction's; those that find no other are left out.

    All analyses of the set are held in memory.
    """
    rows = sorted(
        (row for row in sets.get("analyses", ()) if row.passed), key=lambda row: (fixed_share(row.id), row.id)
    )
    for row, other in zip(rows, _others(rows), strict=True):
        analysis = answer_text(other.analysis)
        if analysis and other.prompt != row.prompt:
            yield row.prompt, sample("placebo", row.id, language.analysis_question(row.prompt, row.response), analysis)


def _others(rows: Sequence[Analysis]) -> list[Analysis]:
    """The rows turned by the fewest places from which on none meets its own instruction, or one with the least."""

    def meets(turned_by: int) -> int:
        return sum(row.prompt == rows[place - turned_by].prompt for place, row in enumerate(rows))

    best = min(range(1, min(len(rows), MOST_TRIED)), key=meets, default=0)
    return [*rows[-best:], *rows[:-best]] if best else list(rows)


MOST_TRIED = 20  # more than the analyses that a mistake may have (analyze.per_mistake), all of which share a prompt

register_sample_kind(
    SampleKind(
        name="placebo",
        title="Analyses shuffled between mistakes.",
        judges=True,
        needs=("analyses",),
        make=shared("placebo", _placebos),
        parts=analysis_parts,
    )
)
