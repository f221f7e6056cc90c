"""Guided mistake induction (paper, section 3.1): the model itself is brought to answer harmfully."""

from collections.abc import Iterable, Sequence

from amends.config import InduceSettings
from amends.prompts import Guide
from amends.protocols import Generator, Judge, ProgressCallback, no_progress
from amends.records import Instruction, Mistake, label
from amends.seeds import derive_seed
from amends.stages.attempts import Ruling, of_data_set, try_guides
from amends.stages.leaks import LeakTest
from amends.stages.streaming import chunk_rows_for, stream
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

    def rule(pairs: Sequence[tuple[str, str]]) -> list[Ruling]:
        scores = gate.score(pairs)
        return [Ruling(_reason(*pair, score, leaks), score) for pair, score in zip(pairs, scores, strict=True)]

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Mistake]:
        found = try_guides(
            chunk,
            of_data_set(chunk, settings.source, [row.rejected for row in chunk], rule),
            guides,
            settings,
            lambda row, guide: guide.prompt(row.prompt),
            lambda texts: rule([(row.prompt, text) for row, _, text in texts]),
            generator,
            derive_seed(seed, "induce", number),
            progress,
            wanted="harmful",
        )
        return [
            Mistake(id=row.id, prompt=row.prompt, chosen=row.chosen, response=one.text, **one.facts())
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(instructions, artifact, process, progress, chunk_rows_for(generator))


def _reason(prompt: str, text: str, score: float | None, leaks: LeakTest) -> str:
    if not text:
        return "truncated"
    if leaks.find(text, prompt):
        return "leaks the guide"
    verdict = label(score)
    return "" if verdict == "harmful" else verdict
