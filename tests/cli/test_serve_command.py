"""`amends serve` as a process: what it refuses at once in one line, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from conftest import run_amends
from local_server import Server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.fixture
def listing(request: pytest.FixtureRequest) -> Iterator[str]:
    """An upstream with a list of models, which answers the list, or a chat, with the status that a test names."""
    named, listed, asked = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(listed, {"data": [{"id": named}]})

        def do_POST(self) -> None:
            self.reply(asked, {"choices": []})

        def reply(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        (("m", 200, 200), "does not stream, though it was asked to; name an upstream that does"),
        (("m", 401, 200), "refuses the key; set OPENAI_API_KEY to one of the upstream's"),
    ],
    indirect=["listing"],
)
def test_an_upstream_that_is_of_no_use_is_refused(listing: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("serve", "--upstream", listing, "--port", "0") == 2
    assert f"amends: error: {listing}: {said}" in capsys.readouterr().err


def test_what_cannot_be_served_is_refused_in_a_line(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", str(port))
        assert said == f"127.0.0.1:{port}: the port is taken; name another with --port, or stop what listens"
    assert "name a model or a run directory" in refused("serve")
    assert "is no run, and the upstream has its own models" in refused("serve", "embedded", "--upstream", "http://h")
    assert "--refuse: no judge says" in refused("serve", "embedded", "--refuse", "harmful")
    assert "begins with http:// or https://" in refused("serve", "--upstream", "localhost")
    assert "unknown respond guide" in refused("serve", "embedded", "--guide", "remind")
    assert "refusal: no answer is refused" in refused("serve", "embedded", "--refusal", "No.")
    assert "unknown judge" in refused("serve", "embedded", "--judge", "prob")
    monkeypatch.setattr("amends.cli.serve.find_spec", lambda name: None if name == "fastapi" else name)
    assert refused("serve", "embedded") == "amends serve needs fastapi; install them: pip install 'amends[serve]'"


def test_an_upstream_that_is_away_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    for key, said in (("k" * 20, f"{url}: does not answer"), ("no\nheader", "OPENAI_API_KEY holds characters")):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        assert run_amends("serve", "--upstream", url, "--port", "0") == 2
        shown = capsys.readouterr().err
        assert said in shown and key not in shown and "header'" not in shown


def test_sigterm_lets_open_answers_end(serve: Callable[..., Server], tmp_path: Path) -> None:
    go_on = threading.Event()

    def words() -> Iterator[bytes]:
        yield HEAD
        yield b'data: {"choices": []}\n\n'
        go_on.wait(20)
        yield b"data: [DONE]\n\n"

    upstream = serve(lambda question, body: (200, words()))
    command = [sys.executable, "-m", "amends", "serve", "--upstream", upstream.url, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ, cwd=tmp_path) as process:
        assert process.stderr
        said = [process.stderr.readline(), process.stderr.readline()]
        found = re.search(r"at (http://127\.0\.0\.1:\d+/v1) \(Ctrl-C stops\)", said[1])
        assert found, said
        assert "reminder, behind the user's turn" in said[0]
        asking = {"stream": True, "messages": [{"role": "user", "content": "Hi."}]}
        with httpx2.stream("POST", f"{found[1]}/chat/completions", json=asking, timeout=60) as reply:
            pieces = reply.iter_raw()
            assert b"choices" in next(pieces)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx2.HTTPError):
                httpx2.get(found[1].replace("/v1", "/health"), timeout=60)
            go_on.set()
            assert b"[DONE]" in b"".join(pieces)
        assert process.wait(60) == 0
        assert process.stderr.read() == "amends: stopped\n"
    assert not list(tmp_path.iterdir())
