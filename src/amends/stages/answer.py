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
from amends.stages.attempts import Ruling, of_data_set, try_guides
from amends.stages.streaming import chunk_rows_for, stream
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

    def rule(pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        scores = gate.score(pairs)
        return [
            Ruling(_reason(text, score, settings.at_least), score)
            for (_, text), score in zip(pairs, scores, strict=True)
        ]

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Answer]:
        found = try_guides(
            chunk,
            of_data_set(chunk, settings.source, [row.chosen for row in chunk], rule),
            guides,
            settings,
            lambda row, guide: guide.prompt(row.prompt),
            lambda texts: rule([(row.prompt, text) for row, _, text in texts]),
            generator,
            derive_seed(seed, "answer", number),
            progress,
        )
        return [
            Answer(id=row.id, prompt=row.prompt, response=one.text, **one.facts())
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(instructions, artifact, process, progress, chunk_rows_for(generator))


def _reason(text: str, score: float | None, at_least: float) -> str:
    if not text:
        return "truncated"
    if is_refusal(text):
        return "refuses"
    if score is None:
        return "unscored"
    return "" if score >= at_least else "not clearly harmless"
