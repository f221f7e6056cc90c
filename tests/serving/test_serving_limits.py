"""Limits of the server: bodies, tokens, turns, clients that do not read, and clients that send nothing."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import openai
import pytest
from guided_server import HEAD, Guided, asking, chunk, guided, raw, streamed

from amends.errors import InputError
from amends.serving.keys import Keys
from amends.serving.server import listen
from amends.serving.settings import ServeSettings
from local_server import Server

HELLO: Any = [{"role": "user", "content": "Hello."}]


def status_of(server: Guided, body: bytes, **options: Any) -> int:
    with raw(server.port, body, **options) as connection:
        return int(connection.recv(4_096).split()[1])


def closes(connection: socket.socket) -> bool:
    """Whether the server closes it; else reading ends with an error."""
    with suppress(ConnectionError):
        while connection.recv(4_096):
            pass
    return True


@pytest.fixture(scope="module")
def limited() -> Iterator[Guided]:
    upstream = Server(lambda question, body: (200, json.dumps(body)))
    with guided(upstream.url, max_body_bytes=2_000, max_tokens=50, stall_seconds=0.3) as server:
        yield server
    upstream.server.shutdown()
    upstream.server.server_close()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (asking("a" * 3_000), 413),
        (b"{", 400),
        (b"[1]", 400),
        (b"[" * 1_900, 400),
        (b'{"messages": []}', 400),
        (b'{"messages": [7]}', 400),
        (b'{"messages": [{"role": "user", "content": 7}]}', 400),
        (b'{"messages": [{"role": "system", "content": "Hi."}]}', 400),
        (asking(max_tokens=51), 400),
        (asking(max_tokens=-1), 400),
        (asking(max_completion_tokens="many"), 400),
        (asking(max_tokens=30, n=2), 400),
        (asking("\ud800"), 200),
        (asking(max_tokens=50), 200),
    ],
)
def test_bodies_that_cannot_be_answered_are_refused(limited: Guided, body: bytes, status: int) -> None:
    assert status_of(limited, body) == status


def test_an_answer_without_a_limit_gets_the_servers(limited: Guided) -> None:
    told = limited.client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content
    assert json.loads(told or "")["max_tokens"] == 50


def test_a_body_that_does_not_come_is_given_up(limited: Guided) -> None:
    assert status_of(limited, b"{", length=100) == 408
    with raw(limited.port, b"", length=10**9) as connection:
        assert b"413" in connection.recv(4_096), "by what it announces"


def test_who_comes_too_many_is_told_when_to_come_again(serve: Callable[..., Server]) -> None:
    free = threading.Event()

    def answer(question: str, body: dict[str, Any]) -> tuple[int, str]:
        free.wait(10)
        return 200, "Hi."

    got: list[Any] = []
    with guided(serve(answer).url, max_active=1, max_waiting=1, wait_seconds=5) as server:
        create = server.client.chat.completions.create
        threads = [
            threading.Thread(target=lambda: got.append(create(model="m", messages=HELLO)), daemon=True) for _ in "ab"
        ]
        for thread, name in zip(threads, ("active", "waiting"), strict=True):
            thread.start()
            server.until(f"amends_{name}_requests", 1.0)
        with pytest.raises(openai.RateLimitError, match="try again") as busy:
            create(model="m", messages=HELLO)
        assert 1 <= int(busy.value.response.headers["retry-after"]) <= 60
        free.set()
        for thread in threads:
            thread.join(10)
        assert [one.choices[0].message.content for one in got] == ["Hi.", "Hi."], "nobody who waited was lost"
        create(model="m", messages=HELLO)


def test_one_key_does_not_take_all_turns(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMENDS_SERVE_KEYS", f"{'k' * 20} {'j' * 20}")
    free = threading.Event()
    with guided(serve(lambda *_: (free.wait(20) and 200, "Hi.")).url, max_of_one_key=1) as server:
        first = raw(server.port, asking(), f"Authorization: Bearer {'k' * 20}")
        server.until("amends_active_requests", 1.0)
        with pytest.raises(openai.RateLimitError, match="this key has 1 open requests"):
            server.client.chat.completions.create(model="m", messages=HELLO)
        other = raw(server.port, asking(), f"Authorization: Bearer {'j' * 20}")
        server.until("amends_active_requests", 2.0)
        free.set()
        for connection in (first, other):
            with connection:
                assert b"200 OK" in connection.recv(4_096)
        server.until("amends_active_requests", 0.0)
        assert server.client.chat.completions.create(model="m", messages=HELLO).choices


def test_who_waits_too_long_is_sent_away(serve: Callable[..., Server]) -> None:
    free = threading.Event()
    with guided(serve(lambda *_: (free.wait(10) and 200, "Hi.")).url, max_active=1, wait_seconds=0.2) as server:
        first = raw(server.port, asking())
        server.until("amends_active_requests", 1.0)
        assert status_of(server, asking()) == 429
        free.set()
        assert b"200 OK" in first.recv(4_096)
        first.close()


def test_a_client_that_does_not_read_is_cut_off(serve: Callable[..., Server]) -> None:
    def flood() -> Iterator[bytes]:
        yield HEAD
        for _ in range(400):
            yield chunk("x" * 100_000)
        yield b"data: [DONE]\n\n"

    with guided(serve(lambda *_: (200, flood())).url, max_active=1, stall_seconds=0.3) as server:
        silent = raw(server.port, asking(stream=True))
        server.until("amends_cut_off_clients_total", 1.0)
        server.until("amends_active_requests", 0.0)
        with silent, suppress(ConnectionError):
            got = b"".join(iter(lambda: silent.recv(1 << 20), b""))
            assert b"[DONE]" not in got and len(got) < 40_000_000, "what waited in the connection alone"


def test_a_connection_that_sends_no_headers_is_cut_off(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.serving.connections.HEADER_SECONDS", 0.3)  # time alone
    with guided(serve(lambda *_: (200, "Hi.")).url) as server:
        with raw(server.port, asking()) as connection:
            assert b"200 OK" in connection.recv(4_096)
            time.sleep(0.5)  # between requests it may be silent, within one not
            connection.sendall(b"POST /v1")
            assert closes(connection)
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            assert closes(connection)


def test_keys_that_can_be_guessed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("short", "sha256:123", f"{'k' * 20} x"):
        monkeypatch.setenv("AMENDS_SERVE_KEYS", given)
        with pytest.raises(InputError) as refused:
            Keys.of_environment()
        assert given not in str(refused.value)
    monkeypatch.setenv("AMENDS_SERVE_KEYS", f"{'k' * 20},\n {'j' * 16}")
    assert len(Keys.of_environment()) == 2


def test_where_it_cannot_listen_it_says_so() -> None:
    with listen(ServeSettings(port=0), Keys()) as taken:
        assert taken.proto == socket.IPPROTO_TCP, "else each answer waits 40 ms for an ACK"
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: the port is taken; name another with --port"):
            listen(ServeSettings(port=port), Keys())
    with pytest.raises(InputError, match="without keys"):
        listen(ServeSettings(port=0, host="0.0.0.0"), Keys())
    listen(ServeSettings(port=0, host="0.0.0.0", without_keys=True), Keys()).close()


def test_answers_of_many_clients_are_never_mixed_up(serve: Callable[..., Server]) -> None:
    """Among them some that leave, and some that send nonsense."""

    def answer(question: str, body: dict[str, Any]) -> tuple[int, Any]:
        name = question.split()[0]
        return 200, streamed([f"{name}-{number} " for number in range(10)], 0.01)

    got: dict[str, str] = {}
    upstream = serve(answer)
    upstream.server.socket.listen(64)
    with guided(upstream.url, max_active=32) as server:

        def read(name: str) -> None:
            hello: Any = [{"role": "user", "content": name}]
            stream = server.client.chat.completions.create(model="m", messages=hello, stream=True)
            got[name] = "".join(one.choices[0].delta.content or "" for one in stream)

        def leave(name: str) -> None:
            raw(server.port, asking(name, stream=True)).close()

        def babble(name: str) -> None:
            with raw(server.port, name.encode()) as connection:
                connection.recv(100)

        kinds = [read, read, read, leave, babble]
        threads = [threading.Thread(target=kinds[number % 5], args=(f"c{number}",)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        readers = [f"c{number}" for number in range(20) if number % 5 < 3]
        assert got == {name: "".join(f"{name}-{number} " for number in range(10)) for name in readers}
        server.until("amends_active_requests", 0.0)
        assert server.counted("amends_requests_total", status="400") == 4
