"""A server that answers after a while, and now and then not as it should: what benchmarks and tests of clients ask.

    python -m benchmarks.answering_server [--seconds 0.2] [--spread] [--faults 0.2]

It prints its address. An answer is the question's own text, so that a client can see whether it got its own.
"""

import argparse
import asyncio
import json
import random
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

FAULTS = ("429", "500", "reset", "hang", "truncated", "wrong", "empty", "slow")
SLOW = 4  # times as long as others
RESET = struct.pack("ii", 1, 0)  # a closed connection is reset


class AnsweringServer:
    """In a thread of its own, which costs a third of a millisecond a request.

    Args:
        seconds: how long an answer takes.
        spread: whether that is a mean, of times that are spread as lengths of texts are (exponentially).
        faults: the share of requests that end otherwise, in all of `FAULTS` ways in turn of chance.
        answer: the text for a request; its last question by default.
    """

    def __init__(
        self,
        seconds: float,
        spread: bool = False,
        faults: float = 0.0,
        answer: Callable[[dict[str, Any]], str] = lambda body: str(body["messages"][-1]["content"]),
    ) -> None:
        self.seconds, self.spread, self.faults, self.answer = seconds, spread, faults, answer
        self.asked: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self._random = random.Random(0)
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self.url = ""

        async def start() -> None:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4_096)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            started.set()

        self._loop.create_task(start())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        started.wait()

    def close(self) -> None:
        """Answers nobody any more."""

        async def leave() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            self._loop.stop()

        self._loop.call_soon_threadsafe(lambda: self._loop.create_task(leave()))
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request. Returns whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if head.startswith(b"get"):
            writer.write(_response(404, b"{}"))
            return True
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        request = json.loads(await reader.readexactly(int(length.split(b":")[1])))
        text = self.answer(request)
        self.asked[str(request["messages"][-1]["content"])] += 1
        fault = self._random.choice(FAULTS) if self._random.random() < self.faults else ""
        seconds = self._random.expovariate(1 / self.seconds) if self.spread else self.seconds
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(3_600 if fault == "hang" else seconds * (SLOW if fault == "slow" else 1))
        self.in_flight -= 1
        self.failed.update([fault] if fault else [])
        body = _body(text)
        if fault in ("429", "500"):
            writer.write(_response(int(fault), b'{"error": {"message": "not now"}}'))
        elif fault == "reset":
            writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, RESET)
            return False
        elif fault == "truncated":
            writer.write(_response(200, body)[: -len(body) // 2])
            return False
        elif fault == "wrong":
            writer.write(_response(200, body.replace(b'"message"', b'"massage"')))
        else:
            writer.write(_response(200, b"" if fault == "empty" else body))
        return True


def _body(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 8, "completion_tokens": 5, "total_tokens": 13}
    facts = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    return json.dumps(facts | {"choices": [choice], "usage": usage}).encode()


def _response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def main() -> None:
    """Serves until its input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--faults", type=float, default=0.0)
    given = parser.parse_args()
    print(AnsweringServer(given.seconds, given.spread, given.faults).url, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
