"""What a run tells its user while it works. The command line shows it; the library is silent by default."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from amends.protocols import ProgressCallback, no_progress


class Reporter(Protocol):
    """Receives messages and the progress of stages."""

    def say(self, message: str) -> None:
        """One line of news."""

    def stage(
        self, name: str, total: int | None, unit: str = "rows", kept: int = 0
    ) -> AbstractContextManager[ProgressCallback]:
        """A context manager that yields a callback taking (units done, tokens generated).

        The first `kept` units are of an interrupted run: they are reported again, and say nothing of the time left.
        """


class Silent:
    """Reports nothing."""

    def say(self, message: str) -> None:
        """Ignores the message."""

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0) -> Iterator[ProgressCallback]:
        """Ignores the progress."""
        yield no_progress
