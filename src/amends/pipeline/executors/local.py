"""The executor of one machine: each chunk is worked on here, when the one before is done."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from amends.stages.chunks import Done
from amends.stages.executors import Executor, Process, register_executor


@register_executor("local")
class Local(Executor):
    """This process, one chunk after another."""

    def run(self, process: Process, chunks: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[Done[Any]]:
        """What comes of each chunk, in order."""
        for number, chunk in chunks:
            yield process(chunk, number)
