"""Real guided servers on loopback, and upstreams that stream."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import openai

from amends.models.endpoint.address import read_address
from amends.prompts import load_language
from amends.serving.additions import Additions
from amends.serving.app import build_app
from amends.serving.backend import Backend
from amends.serving.keys import Keys
from amends.serving.metrics import Metrics
from amends.serving.server import listen, server_of
from amends.serving.settings import ServeSettings
from amends.serving.upstream import Upstream
from amends.serving.verdicts import Verdicts

REMINDER = load_language("en").guide("respond", "reminder")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@cache
def _shared() -> Any:
    """One for all: each reads the certificates of the machine, a quarter of a second."""
    return openai.DefaultHttpxClient(timeout=60)


class Guided(NamedTuple):
    """A server: its address, and what it counts."""

    port: int
    metrics: Metrics

    @property
    def client(self) -> openai.OpenAI:
        url = f"http://127.0.0.1:{self.port}/v1"
        return openai.OpenAI(base_url=url, api_key="k" * 20, max_retries=0, http_client=_shared())

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def until(self, name: str, value: float, seconds: float = 20.0, **labels: str) -> None:
        """Waits until so much is counted."""
        end = time.monotonic() + seconds
        while self.counted(name, **labels) != value:
            assert time.monotonic() < end, f"{name} is {self.counted(name, **labels)}"
            time.sleep(0.01)


@contextmanager
def guided(
    backend: Backend | str, system_prompt: str | None = None, judge: Any = None, **settings: Any
) -> Iterator[Guided]:
    """Serves in a thread: an upstream by its address, or another backend."""
    limits = ServeSettings(port=0, shutdown_seconds=1, **settings)
    behind = Upstream(read_address(backend), limits.upstream_seconds) if isinstance(backend, str) else backend
    keys, metrics = Keys.of_environment(), Metrics()
    listening = listen(limits, keys)
    servers: list[Any] = []

    async def run() -> None:
        await behind.start()
        verdicts = Verdicts(judge, limits.refuse, metrics) if judge else None
        app = build_app(behind, Additions(REMINDER, system_prompt), limits, keys, verdicts, metrics)
        servers.append(server_of(app, limits))
        await servers[0].serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(run(),), daemon=True)
    with listening:
        port = listening.getsockname()[1]
        thread.start()
        # Loaded before anything else is: torch's precision is one for all threads, and loading changes it.
        while not (servers and servers[0].started):
            assert thread.is_alive()
            time.sleep(0.01)
        yield Guided(port, metrics)
        servers[0].should_exit = True
        thread.join(10)
    assert not thread.is_alive()


def chunk(text: str | None, reason: str | None = None, **more: Any) -> bytes:
    """An event of a stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice], **more}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def streamed(words: Sequence[str], seconds: float = 0.0) -> Iterator[bytes]:
    """A whole stream of an upstream, with its head."""
    yield HEAD
    for word in words:
        yield chunk(word)
        time.sleep(seconds)
    yield chunk(None, "stop")
    yield b"data: [DONE]\n\n"


def raw(port: int, body: bytes, *headers: str, length: int | None = None) -> socket.socket:
    """A connection that has sent a request, and has read nothing."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: here", f"Content-Length: {length or len(body)}", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    return connection


def asking(text: str = "Hello.", **more: Any) -> bytes:
    """The body of a request."""
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()
