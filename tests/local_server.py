"""A real local server that speaks as much of OpenAI's protocol as a judge needs."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Listening(ThreadingHTTPServer):
    request_queue_size = 256  # of connections that come at once; a real server drops none of 32


class Server:
    """An OpenAI-compatible server that answers by a function of the question and the request: status, and text or body.

    A text is the answer of a whole body, bytes are the body itself, and of an iterator each piece is sent when it
    comes.
    """

    def __init__(self, answer: Callable[[str, dict[str, Any]], tuple[int, Any]]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.serves = "/"  # what addresses begin with that are there
        self.finish_reason = "stop"
        self.models: list[str] = []  # that it lists; none are none of its business
        self.continues = True  # where a request wants it, the last turn is gone on with, as by vLLM and SGLang
        self.usage: dict[str, int] | None = {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                outer.paths.append(self.path)
                there = self.path.startswith(outer.serves)
                status, text = answer(body["messages"][-1]["content"], body) if there else (404, "Not Found")
                if isinstance(text, Iterator):
                    for piece in text:
                        self.wfile.write(piece)
                        self.wfile.flush()
                    return
                said = {"role": "assistant", "content": text}
                message = {"index": 0, "finish_reason": outer.finish_reason, "message": said}
                usage = outer.usage and outer.usage | {"prompt_tokens": outer.prompt_tokens(body)}
                found = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": usage}
                error = text if isinstance(text, dict) else {"message": text}
                choices = None if text is None else [message]
                reply = {**found, "choices": choices} if status == 200 else {"error": error}
                content = text if isinstance(text, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                html = isinstance(text, bytes) and text.startswith(b"<")
                self.send_header("Content-Type", "text/html" if html else "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                there = bool(outer.models) and self.path.endswith("/models")
                content = json.dumps({"object": "list", "data": [{"id": name} for name in outer.models]}).encode()
                self.send_response(200 if there else 404)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = _Listening(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # of who did not wait for an answer
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        # It looks so often whether it is to end: half a second is what each test would wait otherwise.
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def prompt_tokens(self, body: dict[str, Any]) -> int:
        """Of a template that opens and closes each turn with two tokens, and opens the answer."""
        opened = [2 + len(str(message["content"]).split()) for message in body["messages"]]
        goes_on = self.continues and body.get("continue_final_message", False)
        return sum(opened) + 2 * len(opened) - 2 if goes_on else sum(opened) + 2 * len(opened) + 2
