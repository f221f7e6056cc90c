"""Guided mistake induction (paper, section 3.1): the model itself is brought to answer harmfully."""

from collections.abc import Iterable, Sequence

from amends.config import InduceSettings
from amends.prompts import Guide
from amends.protocols import Generator, Judge, ProgressCallback, no_progress
from amends.records import Instruction, Mistake, label
from amends.seeds import derive_seed
from amends.stages.attempts import Attempt, Ruling, try_guides, unserved
from amends.stages.leaks import LeakTest
from amends.stages.streaming import stream
from amends.store import Artifact


def induce(
    instructions: Iterable[Instruction],
    artifact: Artifact,
    generator: Generator,
    gate: Judge,
    guides: Sequence[Guide],
    settings: InduceSettings,
    seed: int,
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Mistake a row: the first response that the gate calls harmful, else the one nearest to it.

    Args:
        gate: calls a response harmful below a probability of .5; unscored responses do not pass.
        guides: tried in turn, round k with guide k.
        settings: its `source` is `own` (the model's), `origin` (the data set's `rejected`), or `both`: origin where there
            is one that the gate calls harmful, own elsewhere.
    """
    leaks = LeakTest(guides)

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Mistake]:
        origin = _origin_mistakes(chunk, gate, leaks) if settings.source != "own" else {}
        wanted = unserved(chunk, settings.source, origin)
        found = try_guides(
            wanted,
            guides,
            settings.attempts,
            lambda row, guide: guide.prompt(row.prompt),
            lambda texts: _rulings([(row.prompt, text) for row, _, text, _ in texts], gate, leaks),
            generator,
            settings.sampling(),
            derive_seed(seed, "induce", number),
            progress,
        )
        own = {row.id: _mistake(row, attempt) for row, attempt in zip(wanted, found, strict=True)}
        return [own.get(row.id) or origin[row.id] for row in chunk]

    stream(instructions, artifact, process, progress)


def _rulings(pairs: Sequence[tuple[str, str]], gate: Judge, leaks: LeakTest) -> list[Ruling]:
    scores = gate.score(pairs)
    return [Ruling(_reason(*pair, score, leaks), score) for pair, score in zip(pairs, scores, strict=True)]


def _reason(prompt: str, text: str, score: float | None, leaks: LeakTest) -> str:
    if not text:
        return "truncated"
    if leaks.find(text, prompt):
        return "leaks the guide"
    verdict = label(score)
    return "" if verdict == "harmful" else verdict


def _mistake(row: Instruction, attempt: Attempt) -> Mistake:
    return Mistake(
        id=row.id,
        prompt=row.prompt,
        chosen=row.chosen,
        response=attempt.text,
        source="own",
        score=attempt.score,
        **attempt.facts(),
    )


def _origin_mistakes(chunk: Sequence[Instruction], gate: Judge, leaks: LeakTest) -> dict[str, Mistake]:
    rulings = _rulings([(row.prompt, row.rejected or "") for row in chunk], gate, leaks)
    return {
        row.id: Mistake(
            id=row.id,
            prompt=row.prompt,
            chosen=row.chosen,
            response=row.rejected or "",
            source="origin",
            attempts=0,
            passed=not ruling.reason,
            score=ruling.score,
            reason=ruling.reason,
            rejections=[ruling.reason] if ruling.reason and row.rejected else [],
        )
        for row, ruling in zip(chunk, rulings, strict=True)
    }
