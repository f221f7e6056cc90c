"""What the server says of a request that it does not answer: a status, and an error as OpenAI's interface has it."""

import json
from collections.abc import Mapping
from typing import Any


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        message: one line, for the client.
        kind: OpenAI's type of the error.
        headers: beside the error.
        content: the whole body, where it is somebody else's error.
    """

    def __init__(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})
        self.error = {"error": {"message": message, "type": kind, "param": None, "code": status}}
        self.content = json.dumps(self.error).encode() if content is None else content


def bad_request(message: str) -> Refused:
    """A request that cannot be answered as it is."""
    return Refused(400, message)


def upstream_failed(message: str, status: int = 502) -> Refused:
    """An upstream that does not answer as it should."""
    return Refused(status, message, "upstream_error")


def event(content: Any) -> bytes:
    """One server-sent event.

    Example:
        >>> event({"a": 1})
        b'data: {"a": 1}\\n\\n'
    """
    # Half of a surrogate pair, the other half of which may come with the next event, goes as its escape in JSON.
    return b"data: " + json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n\n"


DONE = b"data: [DONE]\n\n"
