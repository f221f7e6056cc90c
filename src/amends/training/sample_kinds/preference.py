"""Preferences: the safe answer and the mistake that it is preferred to."""

from collections.abc import Iterable

from amends.prompts import Language
from amends.records import Instruction, Mistake, Preference
from amends.training.sample_kinds.base import (
    Composed,
    Parts,
    Planned,
    SampleKind,
    Sets,
    answer_text,
    assistant_turn,
    chosen_parts,
    register_sample_kind,
    sample,
    shared,
)


def _preferences(sets: Sets, _: Language) -> Composed:
    mistakes: Iterable[Mistake] = sets.get("mistakes", ())
    for row in mistakes:
        chosen, rejected = answer_text(row.chosen), answer_text(row.response)
        if row.passed and chosen and rejected and chosen.strip() != rejected.strip():
            pair = sample("preference", row.id, row.prompt, chosen)
            yield row.prompt, Preference(**pair.model_dump(), rejected=assistant_turn(rejected))


def _preference_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    yield from chosen_parts(name, row, planned)
    for mistake, made in planned.mistakes(row) if name == "instructions" and row.chosen else ():
        yield f"{row.prompt} {mistake}", made


register_sample_kind(
    SampleKind(
        name="preference",
        title="A safe answer and the mistake it is preferred to.",
        needs=("mistakes",),
        make=shared("preference", _preferences),
        chosen=lambda planned: ("instructions",),
        needs_chosen=True,
        parts=_preference_parts,
    )
)
