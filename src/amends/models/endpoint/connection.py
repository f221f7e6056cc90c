"""Requests to a server that may be busy, away, silent, or unable to answer one of them, while a run of days goes on."""

import asyncio
import logging
import math
import os
import threading
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from amends.errors import InputError, in_a_line
from amends.models.endpoint.address import ASKED, LISTED, Address
from amends.models.endpoint.failures import Diagnosis, pause_seconds
from amends.models.endpoint.reply import NoReplyError, Reply, read_models, read_reply

if TYPE_CHECKING:
    pass

SECONDS = "AMENDS_REQUEST_SECONDS"  # the variable: how long one request may take, from connecting to its last byte
DEFAULT_SECONDS = 60.0
NOT_THERE = (404, 405)  # of addresses without /v1


class Connection:
    """Requests to the chat completions of an OpenAI-compatible server, many at once.

    They share an event loop in a thread of its own: each ends in time, even one of which a byte comes now and then.

    Args:
        address: where it is.
        model: which of its models, for messages.
    """

    def __init__(self, address: Address, model: str) -> None:
        self.address = address
        self.model = model
        self.seconds = address.options.request_seconds or _request_seconds()
        self.answered: float | None = None  # when
        self.leaving = False  # nothing is waited for any more
        self.warned: float | None = None  # when
        self._client: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __reduce__(self) -> tuple[type["Connection"], tuple[Address, str]]:
        """Another process opens its own."""
        return Connection, (self.address, self.model)

    def open(self) -> None:
        """Before requests: the key is read anew."""
        import openai

        self.leaving = False
        if self._client is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, daemon=True).start()
            self._client = openai.AsyncOpenAI(
                base_url=self.address.url,
                api_key=os.environ.get("OPENAI_API_KEY") or "none",  # local servers want none
                max_retries=0,  # what is sent again is decided here
                timeout=None,  # each request has its own
                default_query=dict(self.address.query),
                http_client=_http_client(self.seconds, self.address.login),
            )

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Has the event loop begin with some work, which reports for itself."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Closes it."""
        if self._client is not None and self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._client = self._loop = None

    def leave(self) -> None:
        """Ends all requests that are in flight; nothing is waited for any more."""
        self.leaving = True
        if loop := self._loop:
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])

    async def request(self, sent: dict[str, Any]) -> Reply:
        """The answer to one request. A server that has answered before is waited for, for `PATIENCE_SECONDS`.

        Raises OutageError where it stays away, FailsAloneError where it answers others meanwhile, and
        openai.OpenAIError for what is refused, and for all failures of a server that has not answered before.
        """
        from tenacity import AsyncRetrying

        diagnosis = Diagnosis(self, sent)
        again = AsyncRetrying(
            before=diagnosis.note,
            retry=diagnosis,
            wait=pause_seconds,
        )
        reply: Reply = await again(self._send, sent)
        return reply

    def reason_of(self, error: BaseException | None) -> str:
        """What a server said, in a line, without keys: servers repeat what they refuse. Of a timeout its length."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return f"no whole answer within {self.seconds:g} seconds; {SECONDS} gives it more"
        body = error.body if isinstance(error, openai.APIStatusError) else None
        detail = f": {body['detail']}" if isinstance(body, dict) and "detail" in body else ""  # as FastAPI says it
        said = self.address.without_secrets(f"{error}{detail}")
        if secret := os.environ.get("OPENAI_API_KEY"):
            said = said.replace(secret, "[key]")
        said = said.splitlines()[0][:300] if said else type(error).__name__
        if getattr(error, "status_code", None) in NOT_THERE:
            said += f"; {self.address.url}{ASKED} was asked"
        return said

    async def models(self) -> list[str]:
        """The names of the models that the server says it has; none where it says nothing of them."""
        import openai

        for address in filter(None, (self.address, self.address.with_version)):
            try:
                said = await self._client.get(f"{address.url}{LISTED}", cast_to=openai.HttpxBinaryResponseContent)
                return read_models(said.content)
            except openai.APIStatusError:
                continue  # it may be at the other address
            except Exception:  # whether it answers at all is said by a question
                return []
        return []

    async def _send(self, sent: dict[str, Any]) -> Reply:
        """The answer to one request, sent once. Raises openai.OpenAIError where what comes is none."""
        import openai

        try:
            reply = await self._post(sent)
        except openai.APIStatusError as error:
            if error.status_code not in NOT_THERE or self.answered is not None or not self.address.with_version:
                raise
            reply = await self._post_with_version(sent, error)
        self.answered = time.monotonic()
        return reply

    async def _post(self, sent: dict[str, Any]) -> Reply:
        import openai

        if self.leaving:
            raise openai.OpenAIError("it is left")
        try:
            # Not `chat.completions.create`, which spends a fifth of a request's processor time on our plain messages.
            made = await self._client.post(ASKED, cast_to=openai.HttpxBinaryResponseContent, body=sent)
            return read_reply(made.content)
        except openai.OpenAIError:
            raise
        except NoReplyError as error:
            raise openai.OpenAIError(str(error)) from error
        except Exception as error:  # of what the library stands on: a broken line, a key that is no header
            raise openai.OpenAIError(f"{type(error).__name__}: {in_a_line(error)}") from error

    async def _post_with_version(self, sent: dict[str, Any], refused: Exception) -> Reply:
        """The answer of the same address with /v1, which is kept where it is one; raises `refused` where it is not."""
        import openai

        without, found = self.address, self.address.with_version
        assert found is not None
        self._client.base_url = found.url
        try:
            reply = await self._post(sent)
        except openai.OpenAIError as error:
            status = getattr(error, "status_code", None)
            if status is None or (status in NOT_THERE and self.model not in str(error)):
                self._client.base_url = without.url
                raise refused from None
            self.address = found
            raise
        self.address = found
        said = "%s: nothing answers there; %s does, and is asked. Write it so."
        logging.getLogger(__name__).warning(said, without.url, found.url)
        return reply

    async def answers(self, sent: dict[str, Any]) -> bool:
        """Whether a request is answered now, without waiting for it."""
        import openai

        try:
            await self._send(sent)
        except openai.OpenAIError:
            return False
        return True


def _http_client(seconds: float, login: tuple[str, str] | None) -> Any:
    """The library's client, with a time limit for each request as a whole: its own is one for each piece of it."""
    import openai

    class Limited(openai.DefaultAsyncHttpxClient):
        async def send(self, request: Any, **options: Any) -> Any:
            try:
                async with asyncio.timeout(seconds):
                    return await super().send(request, **options)
            except TimeoutError:
                raise openai.APITimeoutError(request=request) from None

    return Limited(auth=login, timeout=None)


def _request_seconds() -> float:
    said = os.environ.get(SECONDS) or str(DEFAULT_SECONDS)
    try:
        seconds = float(said)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:
        raise InputError(f"{SECONDS}={said}: give the seconds that a request may take, up to 86400")
    return seconds
