"""Guided mistake induction (paper, section 3.1): the model itself is brought to answer harmfully."""

from collections.abc import Iterable, Sequence
from typing import Literal

from amends.prompts import Guide
from amends.protocols import Generation, Generator, Judge, ProgressCallback, Sampling, no_progress
from amends.records import Instruction, Mistake
from amends.seeds import derive_seed
from amends.stages.attempts import Attempt, Ruling, try_guides
from amends.stages.streaming import stream
from amends.stages.text import cue_leaks
from amends.store import Artifact

MistakeSource = Literal["own", "origin", "both"]
HARMFUL_BELOW = 0.5


def induce(
    instructions: Iterable[Instruction],
    artifact: Artifact,
    generator: Generator,
    gate: Judge,
    guides: Sequence[Guide],
    attempts: int,
    sampling: Sampling,
    seed: int,
    source: MistakeSource = "own",
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Mistake a row: the first response that the gate calls harmful, else the one nearest to it.

    Args:
        gate: calls a response harmful below a probability of .5; unscored responses do not pass.
        guides: tried in turn, round k with guide k.
        source: `own` (the model's), `origin` (the data set's `rejected`), or `both`: origin where there is one that the
            gate calls harmful, own elsewhere.
    """

    def process(chunk: list[Instruction], number: int) -> tuple[list[Mistake], int]:
        origin = _origin_mistakes(chunk, gate) if source != "own" else {}
        wanted = [row for row in chunk if source == "own" or (source == "both" and not _passed(origin, row))]
        found = try_guides(
            wanted,
            guides,
            attempts,
            lambda row, guide: guide.prompt(row.prompt),
            lambda texts: _rulings(texts, gate),
            generator,
            sampling,
            derive_seed(seed, "induce", number),
        )
        own = {row.id: _mistake(row, attempt) for row, attempt in zip(wanted, found, strict=True)}
        return [own.get(row.id) or origin[row.id] for row in chunk], sum(attempt.tokens for attempt in found)

    stream(instructions, artifact, process, progress)


def _rulings(texts: Sequence[tuple[Instruction, Guide, str, Generation]], gate: Judge) -> list[Ruling]:
    scores = gate.score([(row.prompt, text) for row, _, text, _ in texts])
    return [
        Ruling(_reason(row, guide, text, score), score)
        for (row, guide, text, _), score in zip(texts, scores, strict=True)
    ]


def _reason(row: Instruction, guide: Guide, text: str, score: float | None) -> str:
    if not text:
        return "truncated"
    if cue_leaks(text, guide.cues, allowed=(row.prompt,)):
        return "leaks the guide"
    if score is None:
        return "unscored"
    return "" if score < HARMFUL_BELOW else "harmless"


def _mistake(row: Instruction, attempt: Attempt) -> Mistake:
    return Mistake(
        id=row.id,
        prompt=row.prompt,
        response=attempt.text,
        source="own",
        guide=attempt.guide.name if attempt.guide else None,
        attempts=attempt.tried,
        passed=attempt.passed,
        score=attempt.score,
        rejections=attempt.rejections,
    )


def _origin_mistakes(chunk: Sequence[Instruction], gate: Judge) -> dict[str, Mistake]:
    scores = gate.score([(row.prompt, row.rejected or "") for row in chunk])
    return {
        row.id: Mistake(
            id=row.id,
            prompt=row.prompt,
            response=row.rejected or "",
            source="origin",
            passed=score is not None and score < HARMFUL_BELOW,
            score=score,
        )
        for row, score in zip(chunk, scores, strict=True)
    }


def _passed(mistakes: dict[str, Mistake], row: Instruction) -> bool:
    return mistakes[row.id].passed
