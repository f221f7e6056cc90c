"""One client of the server: its body is read within limits, and it is cut off where it neither reads nor leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from amends.serving.backend import Whole
from amends.serving.refusals import Refused

Receive = Callable[[], Any]
Send = Callable[[Mapping[str, Any]], Any]
Made = TypeVar("Made")


class GoneError(Exception):
    """The client has left, or was cut off."""


class Client:
    """What a request's connection can be asked, as ASGI has it.

    Args:
        stall_seconds: that it may neither send nor read.
    """

    def __init__(self, scope: Mapping[str, Any], receive: Receive, send: Send, stall_seconds: float) -> None:
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self._connection = scope["state"]["connection"]
        self._receive, self._send, self.stall_seconds = receive, send, stall_seconds
        self.started = self.ended = self.stalled = False

    async def body(self, most: int) -> bytes:
        """The whole body. Raises Refused for one that is too long (413) or too slow (408), and GoneError."""
        too_long = Refused(413, f"the body has more than {most:,} bytes; send less", headers={"Connection": "close"})
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise too_long
        content = bytearray()
        try:
            async with asyncio.timeout(self.stall_seconds):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise GoneError
                    content += message.get("body", b"")
                    if len(content) > most:
                        raise too_long
                    if not message.get("more_body"):
                        return bytes(content)
        except TimeoutError:
            late = f"the body did not come within {self.stall_seconds:g} seconds"
            raise Refused(408, late, headers={"Connection": "close"}) from None

    async def leaves(self) -> None:
        """Waits until the client has left. To be called when the whole body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send_whole(self, whole: Whole, more: Mapping[str, str]) -> None:
        """A whole answer."""
        kind = {"content-type": "application/json"}
        sized = {"content-length": str(len(whole.content))}
        await self._start(whole.status, kind | {name.lower(): one for name, one in whole.headers.items()} | sized, more)
        await self.end(whole.content)

    async def send_events(self, pieces: AsyncIterator[bytes], more: Mapping[str, str]) -> None:
        """Pieces of a stream as they come, each only when the client has read enough of those before."""
        await self._start(200, {"content-type": "text/event-stream", "cache-control": "no-cache"}, more)
        async for piece in pieces:
            await self._put({"type": "http.response.body", "body": piece, "more_body": True})
        await self.end()

    async def end(self, last: bytes = b"") -> None:
        """The last piece of an answer."""
        self.ended = True
        await self._put({"type": "http.response.body", "body": last})

    async def _start(self, status: int, headers: Mapping[str, str], more: Mapping[str, str]) -> None:
        self.started = True
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in {**headers, **more}.items()]
        await self._put({"type": "http.response.start", "status": status, "headers": pairs})

    async def _put(self, message: Mapping[str, Any]) -> None:
        """Raises GoneError where the client has left, or does not read."""
        if self._connection.is_gone:
            raise GoneError
        try:
            async with asyncio.timeout(self.stall_seconds):
                await self._send(message)
        except TimeoutError:
            self.stalled = True
            raise GoneError from None

    async def cut_off(self) -> None:
        """Closes the connection at once, with all that waits in it."""
        self._connection.abort()
        await asyncio.sleep(0)  # in which the connection is told


async def unless_gone(client: Client, work: Coroutine[Any, Any, Made]) -> Made:
    """What the work gives, which is given up when the client leaves. Raises GoneError then, and what it raises."""
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(client.leaves())
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done() and not client.ended:
            raise GoneError
        return await doing  # what is sent whole may still have to be put away
    finally:
        for task in (doing, leaving):
            task.cancel()
        for task in (doing, leaving):
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
