"""What a run tells its user while it works. The command line shows it; the library is silent by default.

Stages report to the observer of their context. A thread that a model starts has a context of its own: it is handed the
observer of the one that it works for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

ProgressCallback = Callable[[int, int], None]
"""Called as (rows done, tokens generated) since the last call."""


def no_progress(rows: int, tokens: int) -> None:
    """Says nothing; the observer where there is none."""


_observer: ContextVar[ProgressCallback] = ContextVar("observer", default=no_progress)


def report(rows: int = 0, tokens: int = 0) -> None:
    """Tells the observer, if there is one, of rows done and of tokens generated since the last report."""
    _observer.get()(rows, tokens)


def observer() -> ProgressCallback:
    """The observer of this context, to be handed to a thread; one that says nothing where there is none."""
    return _observer.get()


@contextmanager
def observed(callback: ProgressCallback) -> Iterator[None]:
    """Sends what is reported within to a callback.

    Example:
        >>> with observed(lambda rows, tokens: print(rows, "rows,", tokens, "tokens")):
        ...     report(rows=2, tokens=31)
        2 rows, 31 tokens
    """
    token = _observer.set(callback)
    try:
        yield
    finally:
        _observer.reset(token)


class Guess(NamedTuple):
    """What a step may take: seconds, of a kind of work whose guesses are too high or too low together."""

    kind: str
    seconds: float


class Reporter(Protocol):
    """Receives messages and the progress of stages."""

    def expect(self, guesses: Callable[[], Mapping[str, Guess]]) -> None:
        """What the stages that are to come may take, by their names; called where somebody is told of it."""

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

    def expect(self, guesses: Callable[[], Mapping[str, Guess]]) -> None:
        """Does not ask."""

    def say(self, message: str) -> None:
        """Ignores the message."""

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0) -> Iterator[ProgressCallback]:
        """Ignores the progress."""
        yield no_progress


class Numbered:
    """Says of each of several stages which of how many it is: `3/8 verdicts`.

    Args:
        reporter: who is told.
        names: of all stages, in order; others are told as they are.
    """

    def __init__(self, reporter: Reporter, names: Sequence[str]) -> None:
        self.reporter, self.names = reporter, names

    def expect(self, guesses: Callable[[], Mapping[str, Guess]]) -> None:
        """Passed on."""
        self.reporter.expect(guesses)

    def say(self, message: str) -> None:
        """Passed on."""
        self.reporter.say(message)

    def stage(
        self, name: str, total: int | None, unit: str = "rows", kept: int = 0
    ) -> AbstractContextManager[ProgressCallback]:
        """Passed on with its number."""
        number = f"{self.names.index(name) + 1}/{len(self.names)} " if name in self.names else ""
        return self.reporter.stage(f"{number}{name}", total, unit, kept)
