"""Samples of one row each: safe and benign answers of the data, analyses, safe answers of the model, revisions."""

from collections.abc import Callable

from amends.records import Instruction
from amends.training.sample_kinds.base import (
    Parts,
    Planned,
    SampleKind,
    analysis_parts,
    benign_parts,
    chosen_parts,
    each,
    register_sample_kind,
)

register_sample_kind(
    SampleKind(
        name="safe",
        title="The data's safe answers.",
        needs=("instructions",),
        make=each("safe", "instructions", lambda row, _: (row.prompt, row.chosen)),
        chosen=lambda planned: ("instructions",),
        needs_chosen=True,
        parts=chosen_parts,
    )
)


register_sample_kind(
    SampleKind(
        name="benign",
        title="Answers to benign instructions.",
        needs=("benign",),
        make=each("benign", "benign", lambda row, _: (row.prompt, row.chosen)),
        chosen=lambda planned: ("benign",),
        parts=benign_parts,
    )
)


# The neutral question as prompt, so that the mistake carries no loss (invariant 2); the analysis as completion.
register_sample_kind(
    SampleKind(
        name="analysis",
        title="Analyses of mistakes.",
        judges=True,
        needs=("analyses",),
        make=each(
            "analysis",
            "analyses",
            lambda row, language: (
                (language.analysis_question(row.prompt, row.response), row.analysis) if row.passed else None
            ),
        ),
        parts=analysis_parts,
    )
)


def _answer_parts(name: str, row: Instruction, planned: Planned) -> Parts:
    if planned.answer.source != "own":
        yield from chosen_parts(name, row, planned)
    if planned.answer.source != "origin" and name == "instructions":
        yield str(row.prompt), planned.answer.max_new_tokens


# The instruction alone as prompt: the reminder that brought the answer about is left out.
register_sample_kind(
    SampleKind(
        name="answer",
        title="Safe answers that passed the gate.",
        needs=("answers",),
        make=each("answer", "answers", lambda row, _: (row.prompt, row.response) if row.passed else None),
        chosen=lambda planned: ("instructions",) if planned.answer.source != "own" else (),
        parts=_answer_parts,
    )
)


def _asked_alone(rows: str, new_tokens: Callable[[Planned], int]) -> Callable[[str, Instruction, Planned], Parts]:
    """The parts of samples whose prompt is the instruction alone, and whose answer the model makes."""

    def parts(name: str, row: Instruction, planned: Planned) -> Parts:
        if name == rows:
            yield str(row.prompt), new_tokens(planned)

    return parts


# The instruction alone as prompt: mistake and critique are left out, as in Constitutional AI.
register_sample_kind(
    SampleKind(
        name="revised",
        title="Revised mistakes.",
        needs=("revisions",),
        make=each("revised", "revisions", lambda row, _: (row.prompt, row.revision) if row.passed else None),
        parts=_asked_alone("instructions", lambda planned: planned.revise.max_new_tokens),
    )
)


register_sample_kind(
    SampleKind(
        name="reply",
        title="The model's own answers to benign instructions.",
        needs=("replies",),
        make=each("reply", "replies", lambda row, _: (row.prompt, row.response) if row.passed else None),
        parts=_asked_alone("benign", lambda planned: planned.reply.max_new_tokens),
    )
)
