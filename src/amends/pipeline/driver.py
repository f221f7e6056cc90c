"""The driver: hands rows to an executor in chunks, and appends the records that come back, in order.

It alone has files, locks and manifests.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from amends.pipeline.executors.local import Local
from amends.progress import report
from amends.records import Record
from amends.stages.chunks import RowIn, Work, chunked
from amends.stages.executors import Executor
from amends.storage.artifacts import Artifact

RecordOut = TypeVar("RecordOut", bound=Record)


def fill(artifact: Artifact, rows: Iterable[RowIn], work: Work[RowIn, RecordOut], executor: Executor) -> None:
    """Appends the records of all rows to an artifact; chunks that an interrupted writer left there are not made again.

    Chunks and what seeds them depend on the rows and on the size that the artifact began with, so that a resumed stage
    ends with the same bytes as one that was never interrupted. The caller finishes the artifact.
    """
    kept = artifact.begin(work.chunk_rows)
    chunks = enumerate(chunked(rows, artifact.chunk_rows))
    for _, chunk in islice(chunks, kept):
        report(rows=len(chunk))
    for done in executor.run(work, chunks):
        artifact.append(work.received(done))


def copy(artifact: Artifact, records: Iterable[Record]) -> None:
    """Appends records as they are."""
    fill(artifact, records, Work(_as_it_is, None), Local())


def _as_it_is(chunk: Sequence[Record], number: int, task: None) -> Sequence[Record]:
    return chunk
