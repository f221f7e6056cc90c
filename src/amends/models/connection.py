"""Requests to a server that may be busy, away, or unable to answer one of them, while a run of days goes on."""

import logging
import os
import threading
import time
from typing import Any

from amends.errors import OutageError
from amends.protocols import SHORT

RETRIES = 1  # of the library, which waits as long as a server that is busy asks it to
PATIENCE_SECONDS = 1_800.0  # how long one that has answered may be away: a restart, an outage
PAUSE_SECONDS = 5.0  # between requests to one that is away
FAILURES_ALONE = 3  # of one request, each before a short one that is answered
BUSY = (429, 503)  # too many requests, no room: they say nothing of the request


class FailsAloneError(Exception):
    """A request that fails again and again while short ones are answered: the server is there. Its cause is the failure."""


class Connection:
    """Requests to the chat completions of an OpenAI-compatible server, from many threads.

    Args:
        url: its base address.
        model: which of its models, for messages.
    """

    def __init__(self, url: str, model: str) -> None:
        self.url = url
        self.model = model
        self.answered: float | None = None  # when
        self.leaving = threading.Event()  # set: nothing is waited for any more
        self._warned: float | None = None  # when
        self._client: Any = None

    def open(self) -> None:
        """Before requests: the key is read anew."""
        import openai

        self.leaving.clear()
        if self._client is None:
            key = os.environ.get("OPENAI_API_KEY") or "none"  # local servers want none
            self._client = openai.OpenAI(base_url=self.url, api_key=key, max_retries=RETRIES)

    def close(self) -> None:
        """Closes it."""
        self._client = None

    def request(self, sent: dict[str, Any]) -> Any:
        """The answer to one request. A server that has answered is asked again while it is away, for `PATIENCE_SECONDS`.

        Raises OutageError where it stays away, FailsAloneError where it answers a short request meanwhile, and
        openai.OpenAIError for what is refused, and for all failures of a server that has not answered before.
        """
        import openai

        since, alone = None, 0
        while True:
            began = time.monotonic()
            try:
                return self._send(sent)
            except openai.OpenAIError as error:
                failed = error
            if not _may_pass(failed) or (self.answered is None and not self._answers(shortened(sent))):
                raise failed
            since = since or began
            too_long = time.monotonic() > since + PATIENCE_SECONDS
            is_there = (too_long or not _is_busy(failed)) and self._answers(shortened(sent))
            alone += is_there
            if too_long and not is_there:
                raise OutageError(
                    f"{self.url}: model {self.model!r} has answered, and does not any more ({reason_of(failed)}). Run the "
                    "same command again when it is back: it goes on from there."
                ) from failed
            if too_long or alone == FAILURES_ALONE:
                raise FailsAloneError from failed
            if not is_there:
                self._warn()
            if self.leaving.wait(PAUSE_SECONDS):
                raise failed

    def _send(self, sent: dict[str, Any]) -> Any:
        """The answer to one request, sent once. Raises openai.OpenAIError where what comes is none."""
        import openai

        try:
            answer = self._client.chat.completions.create(**sent)
        except ValueError as error:
            raise openai.OpenAIError(f"it sent no JSON ({error})") from error
        if not (getattr(answer, "choices", None) and getattr(answer.choices[0], "message", None)):
            said = (getattr(answer, "model_extra", None) or {}).get("error") or answer
            raise openai.OpenAIError(f"it sent no answer, but {said}")
        self.answered = time.monotonic()
        return answer

    def _answers(self, sent: dict[str, Any]) -> bool:
        """Whether a request is answered now."""
        import openai

        try:
            self._send(sent)
        except openai.OpenAIError:
            return False
        return True

    def _warn(self) -> None:
        """Once an absence, and no more often than one may last: a server that is full is away for many requests."""
        now = time.monotonic()
        if self._warned is None or now > self._warned + PATIENCE_SECONDS:
            self._warned = now
            minutes = f"{PATIENCE_SECONDS / 60:.0f} minutes"
            logging.getLogger(__name__).warning("%s: does not answer any more; asked again for %s", self.url, minutes)


def shortened(request: dict[str, Any]) -> dict[str, Any]:
    """The same request with a short text in each message's place: a server that answers it is there, and takes its form."""
    return request | {"messages": [message | {"content": SHORT.messages[0].content} for message in request["messages"]]}


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered another time: no connection, no answer, too many requests, or 5xx."""
    status = getattr(error, "status_code", None)
    return status is None or _is_busy(error) or status >= 500


def _is_busy(error: Exception) -> bool:
    return getattr(error, "status_code", None) in BUSY


def reason_of(error: BaseException | None) -> str:
    """What a server said, in a line, without the key: servers repeat what they refuse."""
    secret = os.environ.get("OPENAI_API_KEY")
    said = str(error).replace(secret, "[key]") if secret else str(error)
    return said.splitlines()[0][:300] if said else type(error).__name__
