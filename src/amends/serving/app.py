"""The application: who may ask, what is added, who answers, and what is said of the answer."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from amends.errors import in_a_line
from amends.serving.additions import Additions
from amends.serving.admission import Admission
from amends.serving.asked import HEADER, Asked, read_request
from amends.serving.backend import Backend, Whole
from amends.serving.client import Client, GoneError, unless_gone
from amends.serving.judged import judged, judged_stream
from amends.serving.keys import Keys
from amends.serving.metrics import Metrics
from amends.serving.refusals import Refused, event
from amends.serving.settings import ServeSettings
from amends.serving.verdicts import Verdicts

LEFT = "left"  # in the place of a status, of clients that did not wait for one


class Completions:
    """Chat completions, as one ASGI application.

    Args:
        backend: who answers.
        additions: what is put into conversations.
        settings: the limits.
        keys: who may ask.
        verdicts: what judges the answers, if anything does.
        metrics: what is counted.
    """

    def __init__(
        self,
        backend: Backend,
        additions: Additions,
        settings: ServeSettings,
        keys: Keys,
        verdicts: Verdicts | None,
        metrics: Metrics,
    ) -> None:
        self.backend, self.additions, self.settings, self.keys = backend, additions, settings, keys
        self.verdicts, self.metrics = verdicts, metrics
        active = settings.max_active if backend.at_once is None else min(settings.max_active, backend.at_once)
        self.admission = Admission(
            active, settings.max_waiting, settings.max_of_one_key, settings.wait_seconds, metrics
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request. Whatever goes wrong is an error in OpenAI's form, or ends the stream with one."""
        began, name = time.monotonic(), secrets.token_hex(8)
        client = Client(scope, receive, send, self.settings.stall_seconds)
        status: str = LEFT
        try:
            try:
                status = str(await self._answered(client, began, name))
            except Refused as refused:
                status = str(refused.status)
                await self._refuse(client, refused, name)
            except GoneError:
                raise
            except Exception as error:
                logging.getLogger(__name__).exception("request %s failed: %s", name, in_a_line(error))
                status = "500"
                await self._refuse(client, Refused(500, "the server failed; its log says why", "server_error"), name)
        except GoneError:
            self.metrics.cut_off.inc(client.stalled)
            if client.stalled or (client.started and not client.ended):
                await client.cut_off()
        finally:
            self.metrics.requests.labels(status).inc()
            self.metrics.seconds.observe(time.monotonic() - began)

    async def _answered(self, client: Client, began: float, name: str) -> int:
        key = self.keys.check(client.headers.get("authorization"))
        content = await client.body(self.settings.max_body_bytes)
        read = time.monotonic()
        asked = read_request(
            content, client.headers.get(HEADER), self.additions, self.settings.reminder, self.settings.max_tokens
        )
        own = time.monotonic() - read
        return await unless_gone(client, self._in_turn(client, asked, key, began, own, name))

    async def _in_turn(self, client: Client, asked: Asked, key: int | None, began: float, own: float, name: str) -> int:
        """The status that was sent. `own`: seconds that reading the request took."""
        more = {HEADER: "on" if asked.guided else "off", "x-request-id": name}
        async with self.admission.turn(key):
            self.metrics.added.observe(own)
            if asked.streams:
                async with self.backend.stream(asked) as pieces:
                    await client.send_events(self._timed(self._judged_stream(pieces, asked), began), more)
                return 200
            whole = await self.backend.answer(asked)
            self.metrics.first.observe(time.monotonic() - began)
            if self.verdicts:
                whole = await judged(whole, asked, self.verdicts, self.settings.refusal)
        await client.send_whole(whole, more)  # a client that is slow to read holds no turn
        return whole.status

    def _judged_stream(self, pieces: AsyncIterator[bytes], asked: Asked) -> AsyncIterator[bytes]:
        return judged_stream(pieces, asked, self.verdicts, self.settings.refusal) if self.verdicts else pieces

    async def _timed(self, pieces: AsyncIterator[bytes], began: float) -> AsyncIterator[bytes]:
        first = True
        async for piece in pieces:
            if first:
                self.metrics.first.observe(time.monotonic() - began)
                first = False
            yield piece

    async def _refuse(self, client: Client, refused: Refused, name: str) -> None:
        """Says so: as a status, or in a stream that has begun as its last event, without the mark of a whole one."""
        if client.ended:
            return
        if client.started:
            await client.end(event(refused.error))
        else:
            await client.send_whole(Whole(refused.content, refused.status, refused.headers), {"x-request-id": name})


def build_app(
    backend: Backend,
    additions: Additions,
    settings: ServeSettings,
    keys: Keys,
    verdicts: Verdicts | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The application of a guided server: chat completions, models, health and metrics.

    Health and metrics are open to all, since they say nothing of what is asked.
    """
    metrics = metrics or Metrics()
    completions = Completions(backend, additions, settings, keys, verdicts, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if verdicts:
            verdicts.start()
        try:
            yield
        finally:
            if verdicts:
                await verdicts.stop()
            await backend.stop()

    app = FastAPI(title="amends", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.append(Route("/v1/chat/completions", completions, methods=["POST"]))

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        return await _answer(lambda: _models(backend, keys, request))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def counted() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return app


async def _models(backend: Backend, keys: Keys, request: Request) -> Whole:
    keys.check(request.headers.get("authorization"))
    return await backend.models()


async def _answer(make: Callable[[], Awaitable[Whole]]) -> Response:
    try:
        whole = await make()
    except Refused as refused:
        whole = Whole(refused.content, refused.status, refused.headers)
    return Response(whole.content, whole.status, {"Content-Type": "application/json", **whole.headers})
