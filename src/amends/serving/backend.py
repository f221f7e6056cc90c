"""What answers behind the server: an upstream, or a model that is loaded here."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from amends.serving.asked import Asked


@dataclass(frozen=True)
class Whole:
    """An answer as one body."""

    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Backend(Protocol):
    """Each may raise `Refused` instead of answering. `at_once`: requests that it can answer at once, if that is known.

    A stream that breaks off ends with an exception, never as if it were whole.
    """

    at_once: int | None

    async def start(self) -> None:
        """Before the first request. Raises AmendsError where it cannot answer."""

    async def stop(self) -> None:
        """After the last request."""

    async def models(self) -> Whole:
        """The list of models."""

    async def answer(self, asked: Asked) -> Whole:
        """A whole answer."""

    def stream(self, asked: Asked) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The answer as server-sent events, in pieces of any length."""
