"""Connections that can be cut: those that are silent before their request, and those that do not read."""

from asyncio import TimerHandle
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 20.0  # in which a request's headers have to come


class CutConnection(H11Protocol):
    """uvicorn's protocol, in the state of each request as `connection`, and a limit for headers that do not come.

    Closing alone would not do: a connection waits until what it holds was read, which may be never.
    """

    def __init__(self, *positional: Any, **named: Any) -> None:
        named["app_state"] = {**named["app_state"], "connection": self}
        super().__init__(*positional, **named)
        self._late: TimerHandle | None = None

    @property
    def is_gone(self) -> bool:
        """Whether nothing that is sent arrives any more, which is known here before the request is told."""
        return self.transport.is_closing()

    def abort(self) -> None:
        """Closes it at once, with all that waits in it."""
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        """Begins to wait for headers."""
        super().connection_made(transport)
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        """Goes on waiting where they are not whole."""
        super().data_received(data)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no more."""
        super().connection_lost(exc)
        self._wait_for_headers(lost=True)

    def _wait_for_headers(self, lost: bool = False) -> None:
        waits = not lost and self.conn.their_state is h11.IDLE
        if waits and self._late is None:
            self._late = self.loop.call_later(HEADER_SECONDS, self.abort)
        elif not waits and self._late is not None:
            self._late.cancel()
            self._late = None
