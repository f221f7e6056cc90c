"""Chunks of rows: the unit of work, of resuming and of randomness. What a stage does to one is a `Work`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from amends.errors import InputError
from amends.judges.base import Judge
from amends.judges.readings import NOTHING, Counted
from amends.models.base import Model
from amends.progress import observed, observer, report
from amends.records import Record

if TYPE_CHECKING:
    from amends.judges.preference import PreferenceJudge

CHUNK_ROWS = 256

RowIn = TypeVar("RowIn")
RowOut = TypeVar("RowOut")


def chunked(rows: Iterable[RowIn], size: int) -> Iterator[list[RowIn]]:
    """Lists of `size` rows, the last one shorter. Holds one chunk in memory."""
    iterator = iter(rows)
    while chunk := list(islice(iterator, size)):
        yield chunk


def chunk_rows_for(worker: Model | Judge) -> int:
    """Rows of a chunk for a model or a judge: as many as fill its device, where it says so."""
    return worker.capacity or CHUNK_ROWS


def of_kind(reader: str, rows: Iterable[RowIn], *kinds: type) -> Iterator[RowIn]:
    """The rows, as they are. Raises InputError at the first that is of none of the kinds that `reader` reads."""
    for row in rows:
        if not isinstance(row, kinds):
            which = f"row {row.id!r}" if isinstance(row, Record) else "a row"
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise InputError(f"{reader} reads rows of {wanted}, and {which} is of {type(row).__name__}")
        yield row


@dataclass(frozen=True)
class Done(Generic[RowOut]):
    """What came of a chunk: one record a row, and what a judge counted on the way, wherever that was."""

    records: list[RowOut]
    counted: Counted = NOTHING

    def __len__(self) -> int:
        return len(self.records)


@dataclass(frozen=True)
class Work(Generic[RowIn, RowOut]):
    """What a stage does to each chunk of its rows: a function of a module, and what it works with.

    It can be pickled where its task can, so that another process may do it.

    Attributes:
        process: takes a chunk, its number, from which with the task's seed all randomness comes, and the task; returns
            one record a row. It may report rows before it returns.
        task: what it works with, such as a model and its settings.
        chunk_rows: rows of a chunk.
        judge: who takes part in it, if anybody: what it counts comes back with each chunk.
    """

    process: Callable[[Sequence[RowIn], int, Any], Sequence[RowOut]]
    task: Any
    chunk_rows: int = CHUNK_ROWS
    judge: "Judge | PreferenceJudge | None" = None

    def __call__(self, chunk: Sequence[RowIn], number: int) -> Done[RowOut]:
        """What comes of a chunk. Reports the rows that `process` does not."""
        outer, reported = observer(), 0

        def count(rows: int, tokens: int) -> None:
            nonlocal reported
            reported += rows
            outer(rows, tokens)

        with observed(count):
            records = list(self.process(chunk, number, self.task))
        if len(records) != len(chunk):
            raise AssertionError(f"{self.process.__module__}: {len(records)} records for {len(chunk)} rows")
        report(rows=len(chunk) - reported)
        return Done(records, self.judge.readings.take() if self.judge else NOTHING)

    def received(self, done: Done[RowOut]) -> list[RowOut]:
        """The records of a chunk that came back. What a judge counted is its own again."""
        if self.judge:
            self.judge.readings.add(done.counted)
        return done.records

    def over(self, rows: Iterable[RowIn]) -> Iterator[RowOut]:
        """The records of all rows, one chunk at a time."""
        for number, chunk in enumerate(chunked(rows, self.chunk_rows)):
            yield from self.received(self(chunk, number))
