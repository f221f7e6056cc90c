"""Samples of Chain of Hindsight: answers behind control phrases, half of them behind a mistake."""

from collections.abc import Iterable

from amends.prompts import Language
from amends.records import Instruction, Mistake
from amends.seeds import fixed_share
from amends.text.words import gap_after
from amends.training.sample_kinds.base import (
    Composed,
    Parts,
    Planned,
    SampleKind,
    Sets,
    Shares,
    answer_text,
    benign_parts,
    copies,
    register_sample_kind,
    sample,
)


def _hindsight(sets: Sets, shares: Shares, language: Language) -> Composed:
    """Answers behind control phrases; the mistake carries loss, in this method alone (invariant 2), the phrases do not.

    Half of the mistakes (fixed by id) come before the safe answer in one sequence. Everywhere else the safe answer
    comes alone, so that the good phrase is learnt as the beginning that it is at inference. Of safe and of benign
    answers it takes those that the other methods take: their shares are theirs here, too.
    """
    good, bad = (
        f"{phrase}{gap_after(phrase)}" for phrase in map(language.template, ("hindsight_good", "hindsight_bad"))
    )
    mistakes: Iterable[Mistake] = sets.get("mistakes", ())
    benign: Iterable[Instruction] = sets.get("benign", ())

    def safe_answers() -> Composed:
        for row in mistakes:
            if chosen := answer_text(row.chosen):
                mistake = answer_text(row.response) if row.passed and fixed_share(row.id) < 0.5 else ""
                before = f"{bad}{mistake}\n\n" if mistake else ""
                yield row.prompt, sample("hindsight", row.id, row.prompt, f"{before}{good}{chosen}")

    def benign_answers() -> Composed:
        for row in benign:
            if chosen := answer_text(row.chosen):
                yield row.prompt, sample("hindsight", f"benign-{row.id}", row.prompt, f"{good}{chosen}")

    safe, benign_too = (shares.get("hindsight", 1.0) * shares.get(kind, 1.0) for kind in ("safe", "benign"))
    yield from copies(safe_answers(), safe, lambda name: name.replace("hindsight", "safe", 1))
    yield from copies(benign_answers(), benign_too, lambda name: name.removeprefix("hindsight-"))


def _hindsight_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    phrases = " ".join(map(planned.language.template, ("hindsight_bad", "hindsight_good")))
    if name == "benign" and planned.share("benign"):
        yield from benign_parts(name, row, planned)
    if name == "instructions" and row.chosen and planned.share("safe"):
        for mistake, made in planned.mistakes(row):
            yield f"{phrases} {mistake} {row.prompt} {row.chosen}", made


register_sample_kind(
    SampleKind(
        name="hindsight",
        title="A mistake and a safe answer in one sequence.",
        needs=("mistakes", "benign"),
        make=_hindsight,
        chosen=lambda planned: ("instructions", "benign"),
        needs_chosen=True,
        heeds=("safe", "benign"),
        parts=_hindsight_parts,
        conditions=("hindsight_good", "hindsight_bad"),  # Chain of Hindsight predicts no feedback
    )
)
