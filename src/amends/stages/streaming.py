"""The loop that all stages share: rows in fixed chunks, each appended whole, resumable at any chunk."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from amends.artifacts import Artifact
from amends.protocols import ProgressCallback, no_progress
from amends.records import Record

RowIn = TypeVar("RowIn")
CHUNK_ROWS = 256


def chunked(rows: Iterable[RowIn], size: int) -> Iterator[list[RowIn]]:
    """Lists of `size` rows, the last one shorter. Holds one chunk in memory."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def chunk_rows_for(worker: object) -> int:
    """Rows of a chunk for a model or a judge: as many as fill its device, where it says so."""
    return getattr(worker, "rows_at_once", None) or CHUNK_ROWS


def stream(
    rows: Iterable[RowIn],
    artifact: Artifact,
    process: Callable[[list[RowIn], int, ProgressCallback], Sequence[Record]],
    progress: ProgressCallback = no_progress,
    chunk_rows: int = CHUNK_ROWS,
) -> None:
    """Runs `process(chunk, chunk number, progress)` over the chunks and appends what it returns, one record a row.

    `process` may report rows and tokens while it works; rows that it did not report count when their chunk is written.

    Chunks and what seeds them depend on the rows and on the size that the artifact began with, so that a resumed stage ends
    with the same bytes as one that was never interrupted. The caller finishes the artifact.
    """
    kept = artifact.begin(chunk_rows)
    for number, chunk in enumerate(chunked(rows, artifact.chunk_rows)):
        if number < kept:
            progress(len(chunk), 0)
            continue
        reported = _Counted(progress)
        records = process(chunk, number, reported)
        if len(records) != len(chunk):
            raise AssertionError(f"{artifact.path}: {len(records)} records for {len(chunk)} rows")
        artifact.append(records)
        progress(len(chunk) - reported.rows, 0)


class _Counted:
    """A progress callback that counts the rows it passes on."""

    def __init__(self, progress: ProgressCallback) -> None:
        self.progress, self.rows = progress, 0

    def __call__(self, rows: int, tokens: int) -> None:
        self.rows += rows
        self.progress(rows, tokens)
