"""What the guided server adds before an upstream: its time, its memory, and whether answers are ever mixed up.

    python -m benchmarks.serving [--seconds 60] [--clients 32] [--requests 200] [--json]

Upstream, server and clients are three processes on loopback. First whole answers are asked for in turn, directly and
through the server. Then clients stream at once for `--seconds` (600 is the full test): of eight, five read as they
should, one reads slowly, one leaves, and one sends nonsense. Each event holds the time of its sending and its reader.

Times of a machine that does other work say little; the server's processor time a request is the same there.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np
import psutil

EVENTS, PAUSE_SECONDS = 20, 0.05
STARTS_SECONDS = 120
KINDS = ("reader", "reader", "reader", "reader", "reader", "slow", "leaving", "abusive")


@dataclass
class Seen:
    """What clients saw: delays of events in seconds, whole answers, and answers that were not their own."""

    delays: list[float] = field(default_factory=list)
    events: int = 0
    answers: int = 0
    mixed_up: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def upstream(port: int) -> None:
    """A server that streams its reader's name and the time, or answers at once."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def answer(request: Request) -> Response:
        body = await request.json()
        name = body["messages"][-1]["content"].split()[0]

        async def events() -> AsyncIterator[bytes]:
            for _ in range(EVENTS):
                await asyncio.sleep(PAUSE_SECONDS)
                delta = {"content": f"{name} {time.monotonic()} "}
                chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
                yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
            yield b"data: [DONE]\n\n"

        if body.get("stream"):
            return StreamingResponse(events(), media_type="text/event-stream")
        return JSONResponse({"choices": [{"index": 0, "message": {"role": "assistant", "content": name}}]})

    app = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="error")


def body(name: str, stream: bool) -> dict[str, Any]:
    """A request."""
    return {"model": "m", "stream": stream, "messages": [{"role": "user", "content": name}]}


async def in_turn(client: httpx2.AsyncClient, urls: dict[str, str], requests: int) -> dict[str, list[float]]:
    """Seconds of whole answers, by where they were asked for, alternately."""
    found: dict[str, list[float]] = {name: [] for name in urls}
    for number in range(requests):
        for name, url in urls.items():
            began = time.perf_counter()
            (await client.post(url, json=body(f"n{number}", False))).raise_for_status()
            found[name].append(time.perf_counter() - began)
    return found


async def read(client: httpx2.AsyncClient, url: str, name: str, seen: Seen, pause: float, leaves: bool) -> None:
    """Streams one answer."""
    try:
        async with client.stream("POST", url, json=body(name, True)) as reply:
            whole = False
            async for line in reply.aiter_lines():
                if line == "data: [DONE]":
                    whole = True
                elif line.startswith("data: "):
                    got, sent, *_ = json.loads(line[6:])["choices"][0]["delta"]["content"].split()
                    seen.events += 1
                    seen.mixed_up += got != name
                    if not pause:
                        seen.delays.append(time.monotonic() - float(sent))
                    await asyncio.sleep(pause)
                    if leaves:
                        return
            seen.answers += whole
            if not whole:
                seen.failed[str(reply.status_code)] += 1
    except (httpx2.HTTPError, ValueError, LookupError) as error:
        seen.failed[type(error).__name__] += 1


async def abuse(client: httpx2.AsyncClient, url: str) -> None:
    """Sends nonsense, bodies that are too long, and half of one."""
    with suppress(httpx2.HTTPError):
        await client.post(url, content=b"{" * 100)
        await client.post(url, content=b"x" * 3_000_000)
    host = httpx2.URL(url)
    _, writer = await asyncio.open_connection(host.host, host.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\n{")
    await asyncio.sleep(0.5)
    writer.close()


async def crowd(url: str, clients: int, seconds: float, kinds: tuple[str, ...]) -> Seen:
    """Many clients at once."""
    seen, end = Seen(), time.monotonic() + seconds

    async def one(number: int) -> None:
        kind = kinds[number % len(kinds)]
        limits = httpx2.Limits(max_connections=2)
        async with httpx2.AsyncClient(timeout=60, limits=limits, verify=False) as client:
            turn = 0
            while time.monotonic() < end:
                turn += 1
                if kind == "abusive":
                    await abuse(client, url)
                    continue
                pause = 0.2 if kind == "slow" else 0.0
                await read(client, url, f"c{number}t{turn}", seen, pause, kind == "leaving")

    await asyncio.gather(*(one(number) for number in range(clients)))
    return seen


async def memory(process: psutil.Process, found: list[float]) -> None:
    """Megabytes of the server, every second."""
    while True:
        found.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(1)


async def measure(urls: dict[str, str], server: psutil.Process, given: argparse.Namespace) -> dict[str, Any]:
    """All numbers."""
    async with httpx2.AsyncClient(timeout=60, verify=False) as client:
        await in_turn(client, urls, 20)
        before = sum(server.cpu_times()[:2])
        whole = await in_turn(client, urls, given.requests)
        processor_seconds = sum(server.cpu_times()[:2]) - before
    readers = given.clients * KINDS.count("reader") // len(KINDS)
    direct = await crowd(urls["direct"], readers, min(given.seconds, 60), ("reader",))
    sizes: list[float] = []
    watching = asyncio.create_task(memory(server, sizes))
    before = sum(server.cpu_times()[:2])
    through = await crowd(urls["server"], given.clients, given.seconds, KINDS)
    crowd_seconds = sum(server.cpu_times()[:2]) - before
    watching.cancel()
    early, late = sizes[len(sizes) // 4 : len(sizes) // 2], sizes[len(sizes) // 2 :]
    milliseconds = {name: np.array(times) * 1e3 for name, times in whole.items()}
    return {
        "added at the median, ms": float(np.median(milliseconds["server"]) - np.median(milliseconds["direct"])),
        "server's processor time a whole answer, ms": 1e3 * processor_seconds / given.requests,
        "server's processor time an event of the crowd, ms": 1e3 * crowd_seconds / through.events,
        "event delay, direct, p50 and p99, ms": _percentiles(direct.delays),
        "event delay, server, p50 and p99, ms": _percentiles(through.delays),
        "clients": given.clients,
        "whole answers": through.answers,
        "failed": dict(through.failed),
        "mixed up": through.mixed_up,
        "server's memory, second quarter and second half, MB": [float(np.median(early)), float(np.median(late))],
        "load of the machine": os.getloadavg()[1],
    }


def _percentiles(delays: list[float]) -> list[float]:
    return [float(one) for one in np.percentile(np.array(delays) * 1e3, [50, 99])]


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Waits for a server."""
    end = time.monotonic() + STARTS_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with suppress(httpx2.HTTPError):
            httpx2.post(url, json=body("hello", False))
            return
        time.sleep(0.2)
    raise SystemExit(f"{url}: does not start")


def main() -> None:
    """Starts the servers, measures, and stops them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--upstream", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.upstream:
        upstream(given.upstream)
        return
    ports = {"direct": free_port(), "server": free_port()}
    urls = {name: f"http://127.0.0.1:{port}/v1/chat/completions" for name, port in ports.items()}
    behind = f"http://127.0.0.1:{ports['direct']}/v1"
    started: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in (
            ("direct", ["benchmarks.serving", "--upstream", str(ports["direct"])]),
            ("server", ["amends", "serve", "--upstream", behind, "--port", str(ports["server"])]),
        ):
            started.append(subprocess.Popen([sys.executable, "-m", *command]))
            until_it_answers(urls[name], started[-1])
        found = asyncio.run(measure(urls, psutil.Process(started[-1].pid), given))
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(json.dumps(found) if given.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
