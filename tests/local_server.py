"""A real local server that speaks as much of OpenAI's protocol as a judge needs."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """An OpenAI-compatible server that answers by a function of the question and the request."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], tuple[int, Any]]) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.finish_reason = "stop"
        self.usage: dict[str, int] | None = {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.keys.append(self.headers.get("Authorization"))
                status, text = answer(body["messages"][-1]["content"], body)
                said = {"role": "assistant", "content": text}
                message = {"index": 0, "finish_reason": outer.finish_reason, "message": said}
                found = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "usage": outer.usage}
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

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
