"""Responses of a system to a suite's prompts, unguided or with the reminder of guided inference (paper, section 3.4)."""

from collections.abc import Iterable

from amends.artifacts import Artifact
from amends.prompts import Guide
from amends.protocols import Generator, ProgressCallback, Sampling, no_progress
from amends.records import Instruction, Response
from amends.seeds import derive_seed
from amends.stages.streaming import chunk_rows_for, stream


def respond(
    prompts: Iterable[Instruction],
    artifact: Artifact,
    generator: Generator,
    guide: Guide,
    sampling: Sampling,
    seed: int,
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Response a prompt, with the guide's words around the prompt.

    The seed does not depend on the system: systems that are compared draw from the same random stream.
    """

    def process(chunk: list[Instruction], number: int, progress: ProgressCallback) -> list[Response]:
        answers = generator.generate(
            [guide.prompt(row.prompt) for row in chunk], sampling, derive_seed(seed, "respond", number), progress
        )
        return [
            Response(id=row.id, prompt=row.prompt, response=guide.text(answer.text), finished=answer.finished)
            for row, answer in zip(chunk, answers, strict=True)
        ]

    stream(prompts, artifact, process, progress, chunk_rows_for(generator))
