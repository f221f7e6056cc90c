"""What a failed request says of itself and of its server: whether it is sent again, and when."""

import logging
import re
import time
from typing import TYPE_CHECKING, Any

from amends.errors import OutageError
from amends.models.base import SHORT

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from amends.models.endpoint.connection import Connection

PATIENCE_SECONDS = 1_800.0  # how long one that has answered may be away: a restart, an outage
PAUSE_SECONDS = 5.0  # at most, between requests to one that is away
FIRST_PAUSE = 1 / 50  # of that, before the first of them: most failures are a moment's
LONGEST_ASKED = 60.0  # seconds that a server which is busy may ask for
FAILURES_ALONE = 8  # of one request, each beside others that are answered
SILENCE = 2  # failures, as which one counts that was silent for all of its time
BUSY = (429, 503)  # too many requests, no room: they say nothing of the request


class FailsAloneError(Exception):
    """A request fails again and again while short ones are answered: the server is there. Its cause is the failure."""


class Diagnosis:
    """Says after each failure of one request whether it is sent again: a server that answers others is there.

    Where none was answered since it was sent, a short one is. Raises OutageError and FailsAloneError, as
    `Connection.request` says.
    """

    def __init__(self, connection: "Connection", sent: dict[str, Any]) -> None:
        self.connection = connection
        self.short = shortened(sent)
        self.began = time.monotonic()
        self.sent = self.began  # when it was last
        self.alone = 0  # failures of it beside which the server was there

    def note(self, _: "RetryCallState") -> None:
        """It is sent now."""
        self.sent = time.monotonic()

    async def __call__(self, state: "RetryCallState") -> bool:
        """Whether it is sent again, after one more failure."""
        import openai

        failed, connection = state.outcome and state.outcome.exception(), self.connection
        if not isinstance(failed, openai.OpenAIError) or connection.leaving or not _may_pass(failed):
            return False
        if connection.answered is None:
            if state.attempt_number == 1:
                return True  # it may have been a moment's
            if not await connection.answers(self.short):
                return False
        too_long = time.monotonic() > self.began + PATIENCE_SECONDS
        is_there = (too_long or not _is_busy(failed)) and await self._is_there()
        silent = isinstance(failed, openai.APITimeoutError)  # and would be so again, most likely
        self.alone += is_there * (SILENCE if silent else 1)
        if too_long and not is_there:
            raise OutageError(
                f"{connection.address.url}: model {connection.model!r} has answered, and does not any more "
                f"({connection.reason_of(failed)}). Run the same command again when it is back: it goes on from there."
            ) from failed
        if too_long or self.alone >= FAILURES_ALONE:
            raise FailsAloneError from failed
        if not is_there and (state.attempt_number > 1 or not _is_busy(failed)):
            self._warn()
        return True

    async def _is_there(self) -> bool:
        answered = self.connection.answered
        return (answered is not None and answered > self.sent) or await self.connection.answers(self.short)

    def _warn(self) -> None:
        """Says that it is away, once an absence, and no more often than one may last: a full one is so for many."""
        now = time.monotonic()
        connection = self.connection
        if connection.warned is None or now > connection.warned + PATIENCE_SECONDS:
            connection.warned = now
            said, minutes = "%s: does not answer any more; asked again for %s", f"{PATIENCE_SECONDS / 60:.0f} minutes"
            logging.getLogger(__name__).warning(said, connection.address.url, minutes)


def pause_seconds(state: "RetryCallState") -> float:
    """Twice as long after each failure, and as long as a server that is busy asks for (Retry-After)."""
    from tenacity import wait_exponential

    failed = state.outcome and state.outcome.exception()
    asked = getattr(getattr(failed, "response", None), "headers", {}).get("retry-after", "")
    pause = wait_exponential(PAUSE_SECONDS * FIRST_PAUSE, max=PAUSE_SECONDS)(state)
    return max(pause, min(float(asked), LONGEST_ASKED)) if re.fullmatch(r"\d+(\.\d+)?", asked) else pause


def shortened(request: dict[str, Any]) -> dict[str, Any]:
    """The same request with a short text for each message: a server that answers it is there, and takes its form."""
    return request | {"messages": [message | {"content": SHORT.messages[0].content} for message in request["messages"]]}


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered another time: no connection, no answer, too many requests, or 5xx."""
    status = getattr(error, "status_code", None)
    return status is None or _is_busy(error) or status >= 500


def _is_busy(error: Exception) -> bool:
    return getattr(error, "status_code", None) in BUSY
