"""Back-pressure: so many requests at once, so many that wait, and a 429 with Retry-After for all others."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amends.serving.metrics import Metrics
from amends.serving.refusals import Refused

FIRST_GUESS_SECONDS = 5.0  # of an answer, before any was given
LONGEST_RETRY_SECONDS = 60


class Admission:
    """Lets requests in, in the order in which they came.

    Args:
        active: requests that are answered at once.
        waiting: requests that wait for their turn.
        of_one_key: requests of one key, whether they wait or not.
        wait_seconds: after which one that waits is sent away.
        metrics: where both are counted.
    """

    def __init__(self, active: int, waiting: int, of_one_key: int, wait_seconds: float, metrics: Metrics) -> None:
        self.active, self.waiting, self.of_one_key = active, waiting, of_one_key
        self.wait_seconds, self.metrics = wait_seconds, metrics
        self._open: Counter[int] = Counter()  # requests by the number of their key
        self._free = asyncio.Semaphore(active)
        self._waiting = 0
        self._seconds = FIRST_GUESS_SECONDS  # an answer takes, lately

    @asynccontextmanager
    async def turn(self, key: int | None) -> AsyncIterator[None]:
        """Waits for a turn, and holds it. Raises Refused (429) where too many wait, or it would take too long.

        `key`: the number of the client's key, if there are keys.
        """
        if key is None:
            async with self._turn():
                yield
            return
        if self._open[key] >= self.of_one_key:
            raise self._busy(f"this key has {self.of_one_key} open requests")
        self._open[key] += 1
        try:
            async with self._turn():
                yield
        finally:
            self._open[key] -= 1

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._free.locked() and self._waiting >= self.waiting:
            raise self._busy("too many requests wait")
        self._waiting += 1
        self.metrics.waiting.set(self._waiting)
        try:
            async with asyncio.timeout(self.wait_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise self._busy(f"no turn within {self.wait_seconds:g} seconds") from None
        finally:
            self._waiting -= 1
            self.metrics.waiting.set(self._waiting)
        began = time.monotonic()
        self.metrics.active.inc()
        try:
            yield
        finally:
            self._seconds += 0.1 * (time.monotonic() - began - self._seconds)
            self.metrics.active.dec()
            self._free.release()

    def _busy(self, why: str) -> Refused:
        until_free = self._seconds * (self._waiting + 1) / self.active
        seconds = min(max(1, math.ceil(until_free)), LONGEST_RETRY_SECONDS)
        message = f"the server is busy: {why}; try again in {seconds} s"
        return Refused(429, message, "rate_limit_error", {"Retry-After": str(seconds)})
