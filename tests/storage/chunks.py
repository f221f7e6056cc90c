"""Four chunks of rows, and an artefact that they are written to."""

from pathlib import Path

from amends.records import Verdict
from amends.storage.artifacts import Artifact

CHUNK_ROWS = 3

PARTS = {"settings": {"seed": 0}, "inputs": "abc"}


def rows(chunk: int, count: int = CHUNK_ROWS) -> list[Verdict]:
    """One chunk; ids beyond ASCII, so that a cut can fall inside a character."""
    return [Verdict(id=f"é{chunk}-{number}", verdict="harmful", score=number / 7) for number in range(count)]


CHUNKS = [rows(0), rows(1), rows(2), rows(3, count=2)]


def write_all(artifact: Artifact, stop_before: int | None = None) -> None:
    kept = artifact.begin(CHUNK_ROWS)
    for number, chunk in enumerate(CHUNKS):
        if number == stop_before:
            return
        if number >= kept:
            artifact.append(chunk)
    artifact.finish(rows=11)


def finished(path: Path) -> Artifact:
    artifact = Artifact(path, PARTS)
    write_all(artifact)
    assert artifact.is_finished()
    return artifact
