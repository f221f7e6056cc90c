"""Chunks on their way to the workers of a Ray cluster and back: a few in flight, in order, none lost with a worker."""

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from amends.errors import AmendsError, in_a_line, memory_is_full
from amends.pipeline.executors.ray_crew import Crew
from amends.pipeline.executors.ray_worker import parcel_of
from amends.progress import report
from amends.stages.chunks import Done
from amends.stages.executors import Process

AHEAD = 2  # chunks at a worker: one that it works on, and one that waits, so that it never does
BEHIND = 4  # chunks of each worker that may wait for an earlier one; more would grow with the rows
TRIES = 3  # of a chunk whose worker is lost each time

Numbered = tuple[int, Sequence[Any]]


class Sent(NamedTuple):
    """A chunk that a worker has."""

    worker: Any
    chunk: Numbered


class Flow:
    """The chunks of one work.

    Args:
        crew: who works on them.
        process: what is done to each.
    """

    def __init__(self, crew: Crew, process: Process) -> None:
        import ray

        self._crew = crew
        self._parcel = [ray.put(parcel_of(process))]
        self._sent: dict[Any, Sent] = {}
        self._again: deque[Numbered] = deque()
        self._came: dict[int, tuple[Done[Any], int]] = {}
        self._lost: Counter[int] = Counter()

    def over(self, chunks: Iterable[Numbered]) -> Iterator[Done[Any]]:
        """What comes of each chunk, in order; reports its rows and tokens."""
        coming, due = iter(chunks), deque[int]()
        while True:
            while not self._crew.here:
                self._crew.wait()
            while (worker := self._free_worker()) and (self._again or len(due) < BEHIND * len(self._crew.here)):
                chunk = self._again.popleft() if self._again else next(coming, None)
                if chunk is None:
                    break
                if chunk[0] not in due:
                    due.append(chunk[0])
                self._send(worker, chunk)
            if not due:
                return
            self._receive()
            while due and due[0] in self._came:
                done, tokens = self._came.pop(due.popleft())
                report(rows=len(done), tokens=tokens)
                yield done

    def _free_worker(self) -> Any:
        """The one that has the fewest chunks; None where all have enough."""
        loads = Counter(sent.worker for sent in self._sent.values())
        worker = min(self._crew.here, key=lambda one: loads[one], default=None)
        return worker if worker and loads[worker] < AHEAD else None

    def _send(self, worker: Any, chunk: Numbered) -> None:
        number, rows = chunk
        self._sent[worker.work.remote(self._parcel, number, rows)] = Sent(worker, chunk)

    def _receive(self) -> None:
        """Waits for chunks that come back, or workers that arrive. Raises what a process raised.

        A worker whose memory was full is lost, too: Ray starts it again, so that it holds nothing of before.
        """
        import ray

        lost: dict[Any, Exception] = {}
        for reference in self._crew.wait(list(self._sent)):
            try:
                self._came[self._sent[reference].chunk[0]] = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                if not memory_is_full(error.cause):
                    raise error.cause from None
                worker = self._sent[reference].worker
                if worker not in lost:
                    ray.kill(worker, no_restart=False)
                lost.setdefault(worker, error.cause)
            except ray.exceptions.RayError as error:  # the worker's, its node's, or the way's between
                lost.setdefault(self._sent[reference].worker, error)
            else:
                del self._sent[reference]
        for worker, reason in lost.items():
            self._lose(worker, reason)

    def _lose(self, worker: Any, error: Exception) -> None:
        """Has the chunks of a lost worker done by others; the first of them was the one that it worked on."""
        its = {reference: sent.chunk for reference, sent in self._sent.items() if sent.worker == worker}
        for reference in its:
            del self._sent[reference]
        self._again.extendleft(reversed(its.values()))
        self._crew.expect(worker)
        number, rows = next(iter(its.values()))
        reason = _reason(error)
        print(f"amends: a worker is lost ({reason}); others go on with its chunks", file=sys.stderr)
        self._lost[number] += 1
        if self._lost[number] == TRIES:
            raise AmendsError(
                f"chunk {number} ({len(rows)} rows from {_name(rows[0])} to {_name(rows[-1])}): {TRIES} workers were "
                f"lost with it, the last one by: {reason}; see whether a node's memory is full (fewer "
                "workers a node, or a smaller model), or which of the rows does it. What is finished is kept"
            )


def _reason(error: Exception) -> str:
    """Why a worker is lost. Of one that Ray's memory monitor ended Ray says here no more than that it was restarted."""
    import ray

    said = in_a_line(error)
    if memory_is_full(error):
        return f"its memory is full: {said}"
    if isinstance(error, ray.exceptions.RayActorError):
        return f"{said} If its node's memory was full, gcs_server.out on the head node says NODE_OUT_OF_MEMORY"
    return said


def _name(row: Any) -> str:
    return repr(getattr(row, "id", None) or row)[:80]
