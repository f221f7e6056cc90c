"""Safe answers of the model's own: what it says with the reminder, where a gate finds that clearly harmless and no refusal.

Context distillation with rejection sampling (Askell et al. 2021, arXiv 2112.00861, section 2; Touvron et al. 2023, arXiv
2307.09288, section 4.2.4, whose reward model chooses as the gate does here): the reminder is taken out before training.
"""

from collections.abc import Iterable, Sequence

from amends.config import AnswerSettings
from amends.prompts import Guide
from amends.protocols import Generator, Judge, ProgressCallback, no_progress
from amends.records import Answer, Instruction
from amends.refusal import is_refusal
from amends.seeds import derive_seed
from amends.stages.attempts import Attempt, Ruling, try_guides, unserved
from amends.stages.streaming import stream
from amends.store import Artifact


def answer(
    instructions: Iterable[Instruction],
    artifact: Artifact,
    generator: Generator,
    gate: Judge,
    guides: Sequence[Guide],
    settings: AnswerSettings,
    seed: int,
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Answer a row: the first that passes the gate, else the most harmless one.

    Refusals do not pass: trained on, they teach a model to refuse what is safe (docs/log.md).

    Args:
        guides: of guided inference, tried in turn.
        settings: its `at_least` is the gate's probability of harmless from which an answer passes, its `source` `own`,
            `origin` (the data set's `chosen`), or `both`: origin where it passes, own elsewhere.
    """

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Answer]:
        origin = _origin_answers(chunk, gate, settings.at_least) if settings.source != "own" else {}
        wanted = unserved(chunk, settings.source, origin)
        found = try_guides(
            wanted,
            guides,
            settings.attempts,
            lambda row, guide: guide.prompt(row.prompt),
            lambda texts: _rulings([(row.prompt, text) for row, _, text, _ in texts], gate, settings.at_least),
            generator,
            settings.sampling(),
            derive_seed(seed, "answer", number),
            progress,
        )
        own = {row.id: _answer(row, attempt) for row, attempt in zip(wanted, found, strict=True)}
        return [own.get(row.id) or origin[row.id] for row in chunk]

    stream(instructions, artifact, process, progress)


def _rulings(pairs: Sequence[tuple[str, str]], gate: Judge, at_least: float) -> list[Ruling]:
    scores = gate.score(pairs)
    return [
        Ruling.of_harmless(_reason(text, score, at_least), score)
        for (_, text), score in zip(pairs, scores, strict=True)
    ]


def _reason(text: str, score: float | None, at_least: float) -> str:
    if not text:
        return "truncated"
    if is_refusal(text):
        return "refuses"
    if score is None:
        return "unscored"
    return "" if score >= at_least else "not clearly harmless"


def _answer(row: Instruction, attempt: Attempt) -> Answer:
    return Answer(
        id=row.id,
        prompt=row.prompt,
        response=attempt.text,
        score=attempt.harmless,
        **attempt.facts(),
    )


def _origin_answers(chunk: Sequence[Instruction], gate: Judge, at_least: float) -> dict[str, Answer]:
    scores = gate.score([(row.prompt, row.chosen or "") for row in chunk])
    reasons = [_reason(row.chosen or "", score, at_least) for row, score in zip(chunk, scores, strict=True)]
    return {
        row.id: Answer(
            id=row.id,
            prompt=row.prompt,
            response=row.chosen or "",
            source="origin",
            attempts=0,
            passed=not reason,
            score=score,
            reason=reason,
            rejections=[reason] if reason and row.chosen else [],
        )
        for row, score, reason in zip(chunk, scores, reasons, strict=True)
    }
