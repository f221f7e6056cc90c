"""An OpenAI-compatible server behind this one: what it is asked and answers is passed on, byte by byte."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from amends.errors import InputError, in_a_line
from amends.models.endpoint.address import ASKED, Address
from amends.serving.asked import Asked
from amends.serving.backend import Whole
from amends.serving.refusals import DONE, Refused, upstream_failed

CONNECT_SECONDS = 10.0
KEPT_SECONDS = 2.0  # less than servers keep idle connections: else a request would meet one that is just closed
SENT_BACK = ("content-type", "retry-after")
KEY_REFUSED = (401, 403)
EVENTS = "text/event-stream"
END = b"[DONE]"
END_BYTES, EVENT_BYTES = 64, 8_192
"""Within how many last bytes of a stream its end stands, and the last event before."""


class Upstream:
    """The server at an address.

    Args:
        address: where it is; the key is that of OPENAI_API_KEY.
        seconds: that it may be silent.
    """

    at_once: int | None = None

    def __init__(self, address: Address, seconds: float) -> None:
        self.address, self.seconds = address, seconds
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        self._client: Any = None

    async def start(self) -> None:
        """Opens connections, and asks once whether it is there and streams.

        Raises InputError where it does not answer or stream, and where the key is refused or cannot be sent.
        """
        if not (self._key.isascii() and self._key.isprintable()):
            raise InputError("OPENAI_API_KEY holds characters that no header can have; set it anew")
        self._client = httpx2.AsyncClient(
            base_url=self.address.url,
            params=dict(self.address.query),
            auth=self.address.login,  # which takes the place of the key
            headers={"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx2.Timeout(self.seconds, connect=CONNECT_SECONDS, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=256, keepalive_expiry=KEPT_SECONDS),
        )
        try:
            await self._check()
        except httpx2.HTTPError as error:
            raise InputError(
                f"{self.address.url}: does not answer ({self._said(error)}); start the upstream first, or correct "
                "--upstream"
            ) from None

    async def _check(self) -> None:
        listed = await self._client.get("/models")
        if listed.status_code == 404 and (found := self.address.with_version):
            self.address, self._client.base_url = found, found.url
            listed = await self._client.get("/models")
        if listed.status_code in KEY_REFUSED:
            raise InputError(f"{self.address.url}: refuses the key; set OPENAI_API_KEY to one of the upstream's")
        if model := _first_model(listed):
            messages = [{"role": "user", "content": "Hello."}]
            asked = {"model": model, "messages": messages, "max_tokens": 1, "stream": True}
            async with self._client.stream("POST", ASKED, json=asked) as reply:
                if reply.status_code == 200 and not _streams(reply):
                    raise InputError(
                        f"{self.address.url}: does not stream, though it was asked to; name an upstream that does"
                    )

    async def stop(self) -> None:
        """Closes the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def models(self) -> Whole:
        """Its own list of models."""
        try:
            return self._whole(await self._client.get("/models"))
        except httpx2.HTTPError as error:
            raise self._failed(error) from None

    async def answer(self, asked: Asked) -> Whole:
        """Its answer, whatever status that has. Raises Refused (502, 504) where there is none."""
        try:
            return self._whole(await self._asked(asked, stream=False))
        except httpx2.HTTPError as error:
            raise self._failed(error) from None

    @asynccontextmanager
    async def stream(self, asked: Asked) -> AsyncIterator[AsyncIterator[bytes]]:
        """Its events. Raises Refused with its own status where it refuses, and where it breaks off."""
        try:
            reply = await self._asked(asked, stream=True)
            try:
                if reply.status_code != 200:
                    await reply.aread()
                    whole = self._whole(reply)
                    raise Refused(whole.status, "", headers=whole.headers, content=whole.content)
                if not _streams(reply):
                    raise upstream_failed("the upstream does not stream; ask without stream, or name another upstream")
                yield self._pieces(reply)
            finally:
                await reply.aclose()
        except httpx2.HTTPError as error:
            raise self._failed(error) from None

    async def _asked(self, asked: Asked, stream: bool) -> Any:
        """Its reply. Asked once more where the connection breaks before one: a kept one may just have been closed."""
        sent = {"content": json.dumps(asked.body).encode(), "headers": {"Content-Type": "application/json"}}
        try:
            return await self._client.send(self._client.build_request("POST", ASKED, **sent), stream=stream)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            return await self._client.send(self._client.build_request("POST", ASKED, **sent), stream=stream)

    async def _pieces(self, reply: Any) -> AsyncIterator[bytes]:
        """What comes, as it comes. The last event says that it is whole: a connection that closes does not.

        `transformers serve` sends no [DONE]: there the event that ends the answer is the last, and it is added.
        """
        tail = b""
        try:
            async for piece in reply.aiter_raw():
                tail = (tail + piece)[-EVENT_BYTES:]
                yield piece
        except httpx2.HTTPError as error:
            raise self._failed(error) from None
        if END in tail[-END_BYTES:]:
            return
        if not _ends(tail):
            raise upstream_failed("the upstream broke off before its answer was whole")
        yield DONE

    def _whole(self, reply: Any) -> Whole:
        if reply.status_code in KEY_REFUSED:  # its error may repeat the key
            raise upstream_failed("the upstream refuses this server's key")
        headers = {name: reply.headers[name] for name in SENT_BACK if name in reply.headers}
        return Whole(reply.content, reply.status_code, headers)

    def _failed(self, error: Exception) -> Refused:
        if isinstance(error, httpx2.ReadTimeout):
            return upstream_failed(f"the upstream was silent for {self.seconds:g} seconds", 504)
        return upstream_failed(f"the upstream does not answer ({self._said(error)})")

    def _said(self, error: Exception) -> str:
        said = self.address.without_secrets(in_a_line(error))
        return said.replace(self._key, "[key]") if self._key else said


def _streams(reply: Any) -> bool:
    return str(reply.headers.get("content-type", "")).startswith(EVENTS)


def _ends(tail: bytes) -> bool:
    """Whether the last event of a stream ends all that it has of the answer."""
    last = next((line for line in reversed(tail.splitlines()) if line.startswith(b"data:")), b"")
    try:
        choices = json.loads(last.removeprefix(b"data:"))["choices"]
        return bool(choices) and all(choice["finish_reason"] for choice in choices)
    except (ValueError, LookupError, TypeError):
        return False


def _first_model(listed: Any) -> str | None:
    """A model of the list, if there is one that can be read."""
    try:
        return str(listed.json()["data"][0]["id"]) if listed.status_code == 200 else None
    except (ValueError, LookupError, TypeError):
        return None
