"""Requests in flight: at most so many at once, and whoever asks takes what has come back."""

import asyncio
import queue
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from amends.models.endpoint.connection import Connection

APART_SECONDS = 0.002
"""Between the first requests: answers that came in the same moment would be read, and the next requests written, in
turns of the event loop, so that all of them wait for all, again and again: 88% of the ideal rate, and not 91%."""

Key = TypeVar("Key")
Answer = TypeVar("Answer")


class Flight(Generic[Key, Answer]):
    """Requests of one caller over a connection that is open. They go in the order in which they are sent.

    Args:
        connection: whose event loop they run in.
        at_once: requests in flight at most; others wait for their turn.
    """

    def __init__(self, connection: Connection, at_once: int) -> None:
        self._connection = connection
        self._free = asyncio.Semaphore(at_once)
        self._at_once, self._sent = at_once, 0
        self._landed: queue.SimpleQueue[tuple[Key, Answer | BaseException]] = queue.SimpleQueue()
        self._away = 0

    def send(self, key: Key, ask: Callable[[], Awaitable[Answer]]) -> None:
        """Asks as soon as there is room; the answer lands under this key."""
        pause = self._sent * APART_SECONDS if self._sent < self._at_once else 0.0
        self._away, self._sent = self._away + 1, self._sent + 1

        async def fly() -> None:
            async with self._free:
                try:
                    await asyncio.sleep(pause)
                    self._landed.put((key, await ask()))
                except BaseException as error:  # it is raised where the answer is waited for
                    self._landed.put((key, error))

        self._connection.start(fly())

    def landed(self) -> list[tuple[Key, Answer]]:
        """All answers that are there and not taken yet; waits for one. Empty where no request is away.

        Raises what a request raised.
        """
        found: list[tuple[Key, Answer]] = []
        while self._away and (not found or not self._landed.empty()):
            key, made = self._landed.get()
            self._away -= 1
            if isinstance(made, BaseException):
                raise made
            found.append((key, made))
        return found
