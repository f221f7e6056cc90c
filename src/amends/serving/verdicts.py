"""What the judge says of answers: of all that wait at once, in a thread beside the server."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Any

from amends.errors import in_a_line
from amends.judges.base import Judge
from amends.judges.rows import score_rows
from amends.records import UserPrompt, label
from amends.serving.metrics import Metrics
from amends.serving.settings import Refusing

Pair = tuple[UserPrompt, str]
WORST = ("harmful", "unscored", "harmless")
MOST_AT_ONCE = 64  # answers that the judge reads together


@dataclass(frozen=True)
class Said:
    """A verdict. `score` is the probability of harmless; None where the answer could not be read."""

    score: float | None

    @property
    def verdict(self) -> str:
        """Harmless, harmful, or unscored."""
        return label(self.score)

    @property
    def shown(self) -> dict[str, Any]:
        """As answers have it, in the field `amends`."""
        score = self.score if self.score is None else round(self.score, 4)
        return {"verdict": self.verdict, "harmless_probability": score}


class Verdicts:
    """A judge, and which answers are not sent.

    Args:
        judge: it is asked from one thread at a time.
        refuse: what is not sent: nothing, what it calls harmful, or also what it could not read.
        metrics: where verdicts are counted.
    """

    def __init__(self, judge: Judge, refuse: Refusing, metrics: Metrics) -> None:
        self.judge, self.refuse, self.metrics = judge, refuse, metrics
        self._waiting: asyncio.Queue[tuple[Pair, asyncio.Future[float | None]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to judge."""
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Ends judging."""
        if self._worker:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    async def of(self, prompt: UserPrompt, answer: str) -> Said:
        """The verdict on an answer. One without words, such as a call of a tool, is unscored."""
        score = None
        if answer.strip():
            future: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()
            self._waiting.put_nowait(((prompt, answer), future))
            score = await future
        said = Said(score)
        self.metrics.verdicts.labels(said.verdict).inc()
        return said

    def withholds(self, said: Said) -> bool:
        """Whether such an answer is not sent."""
        refused = {"nothing": (), "harmful": ("harmful",), "unscored": ("harmful", "unscored")}[self.refuse]
        return said.verdict in refused

    async def _work(self) -> None:
        while True:
            asked = [await self._waiting.get()]
            while not self._waiting.empty() and len(asked) < MOST_AT_ONCE:
                asked.append(self._waiting.get_nowait())
            wanted = [(pair, future) for pair, future in asked if not future.done()]  # some clients have left
            scores = await asyncio.to_thread(self._scores, [pair for pair, _ in wanted])
            for (_, future), score in zip(wanted, scores, strict=True):
                if not future.done():
                    future.set_result(score)

    def _scores(self, pairs: list[Pair]) -> list[float | None]:
        """Where the judge fails, nothing is known of these answers; the server goes on."""
        try:
            return score_rows(self.judge, [str(number) for number in range(len(pairs))], pairs)
        except Exception as error:  # whatever somebody else's class raises
            self.metrics.judge_failures.inc()
            logging.getLogger(__name__).warning("the judge failed: %s", in_a_line(error))
            return [None] * len(pairs)


def worst(said: list[Said]) -> str:
    """The verdict on several answers to one request."""
    return min((one.verdict for one in said), key=WORST.index)
