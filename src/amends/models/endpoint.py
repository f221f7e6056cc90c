"""A language model behind any OpenAI-compatible endpoint."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from amends.errors import InputError, ModelError, OutageError
from amends.protocols import SHORT, Generation, ProgressCallback, Prompt, Sampling, no_progress
from amends.seeds import derive_seed
from amends.store import fingerprint

PREFIX = "endpoint:"
AT_ONCE = 16  # requests in flight; servers batch them
RETRIES = 1  # of the library, which waits as long as a server that is busy asks it to
PATIENCE_SECONDS = 1_800.0  # how long one that has answered may be away: a restart, an outage
PAUSE_SECONDS = 5.0  # between requests to one that is away
FAILURES_ALONE = 3  # of one request, while others are answered
OPTIONAL = ("max_tokens", "top_p", "temperature", "seed", "response_format")
"""What a server may refuse, and is asked without from then on; for `max_tokens` models that reason take another limit."""
FILTERED = (
    "content_filter",
    "content management policy",
    "ContentPolicyViolation",
    "invalid_prompt",
    "input was flagged",
)
"""How servers with a filter before the model refuse a prompt (Azure, OpenAI, OpenRouter): it alone has no answer then."""
WORDS = 30  # characters of a question in which a word of the above can stand
REASONING_TOKENS = 4_096  # allowed beside the answer where limits count reasoning, too


class EndpointModel:
    """A model behind an OpenAI-compatible endpoint, such as `vllm serve`, llama.cpp's server or a hosted one.

    Args:
        model: its name there.
        url: the base address, with `/v1` where the server has it.
        form: what an answer has to look like, where the server can be told so; any text by default.
    """

    def __init__(self, model: str, url: str, form: type[BaseModel] | None = None) -> None:
        self.name = model
        self.url = url
        self.form = form
        self._refused: set[str] = set()
        self._reasons = False
        self._client: Any = None
        self._answered: float | None = None  # when
        self._away = False
        self._leaving = threading.Event()

    @classmethod
    def named(cls, name: str, form: type[BaseModel] | None = None) -> "EndpointModel":
        """From `endpoint:MODEL@URL`. Raises InputError where it is not of this form."""
        model, _, url = name.removeprefix(PREFIX).rpartition("@")
        if not model or not url.startswith(("http://", "https://")):
            raise InputError(f"{name!r}: write it as endpoint:MODEL@URL, as in endpoint:judge@http://localhost:8000/v1")
        return cls(model, url.rstrip("/"), form)

    @property
    def fingerprint(self) -> str:
        """Hash of name and address: what the server runs under that name cannot be seen from here."""
        return fingerprint(endpoint=self.url, model=self.name)

    def check(self, prompt: Prompt) -> None:
        """Raises ModelError for what an endpoint cannot be asked: to go on from an answer's first words."""
        if prompt.prefill:
            raise ModelError(
                f"{self.url}: an endpoint takes no first words of an answer; choose a guide without a prefill"
            )

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers, many at once.

        Raises ModelError where the server does not answer, has no room for so many tokens, or a prompt has a prefill;
        OutageError where it has answered before, and does not for `PATIENCE_SECONDS`.
        """
        import openai

        for prompt in prompts:
            self.check(prompt)
        if self._client is None:
            key = os.environ.get("OPENAI_API_KEY") or "none"  # local servers want none
            self._client = openai.OpenAI(base_url=self.url, api_key=key, max_retries=RETRIES)

        def ask(row: int, prompt: Prompt) -> Generation:
            # Of its own for each row: equal prompts are there to be answered in several ways.
            made = self._ask(prompt, sampling, derive_seed(seed, "row", row) if sampling.temperature else seed)
            progress(1, made.tokens)
            return made

        try:
            self._leaving.clear()
            pool = ThreadPoolExecutor(AT_ONCE)
            try:
                made = list(pool.map(ask, range(len(prompts)), prompts))
            except BaseException as error:
                self._leaving.set()
                user_leaves = not isinstance(error, Exception)
                pool.shutdown(wait=not user_leaves, cancel_futures=True)
                raise
            pool.shutdown()
            if made and all(one.had_no_room for one in made) and self._ask(SHORT, sampling, seed).had_no_room:
                raise ModelError(
                    f"{self.url}: model {self.name!r} has no room for {sampling.max_new_tokens} tokens after a short "
                    "prompt; lower max_new_tokens (--max-new-tokens)."
                )
            return made
        except openai.OpenAIError as error:
            raise ModelError(
                f"{self.url}: model {self.name!r} does not answer ({_reason(error)}); is the server running, is the name "
                "one of its models, and is OPENAI_API_KEY set where it wants a key?"
            ) from error

    def _ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Generation:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [message.model_dump() for message in prompt.messages],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        if self.form:
            schema = {"name": self.form.__name__.lower(), "schema": self.form.model_json_schema()}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        reasons = self._reasons  # as of now: other threads may find out meanwhile
        made, cut = self._answer(request, sampling.max_new_tokens, reasons)
        if cut and not made.text and made.tokens > 1 and not reasons:
            self._reasons = True  # it spent its tokens before the answer
            made, _ = self._answer(request, sampling.max_new_tokens, True)
        return made

    def _answer(self, request: dict[str, Any], new_tokens: int, reasons: bool) -> tuple[Generation, bool]:
        """What is made of a request, and whether the limit of tokens ended it."""
        import openai

        while True:
            limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
            allowed = new_tokens + (REASONING_TOKENS if reasons or limit == "max_completion_tokens" else 0)
            sent = {key: value for key, value in (request | {limit: allowed}).items() if key not in self._refused}
            try:
                answer = self._request(sent)
                break
            except (openai.BadRequestError, openai.UnprocessableEntityError, openai.PermissionDeniedError) as error:
                said = f"{error.code} {error}"
                for message in request["messages"]:
                    if len(message["content"]) > WORDS:  # some servers repeat the question
                        said = said.replace(message["content"], "")
                if any(words in said for words in FILTERED):
                    return Generation(text="", finished=False, tokens=1), False
                if isinstance(error, openai.PermissionDeniedError):
                    raise
                if "context" in said:  # the prompt is too long for the model
                    return Generation(text="", finished=False, tokens=0), False
                # Some servers do not say what they refuse: then it is the form, which the question asks for in words, too.
                refused = [key for key in OPTIONAL if key in sent and key in said] or ["response_format"]
                if refused[0] not in sent:
                    raise
                self._refused.add(refused[0])
        choice = answer.choices[0]
        counted = getattr(answer.usage, "completion_tokens", None)
        tokens = 1 if counted is None else counted  # no token would say that there was no room
        text = (choice.message.content or "").encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        return Generation(text, choice.finish_reason == "stop", tokens), choice.finish_reason == "length"

    def _request(self, sent: dict[str, Any]) -> Any:
        """One request's answer. A server that has answered is asked again while it is away, for `PATIENCE_SECONDS`.

        A request that fails again and again while others are answered is not waited for: it is not the server that is away.
        """
        import openai

        since, alone = None, 0
        while True:
            began = time.monotonic()
            try:
                answer = self._client.chat.completions.create(**sent)
                if getattr(answer, "choices", None) and getattr(answer.choices[0], "message", None):
                    self._answered, self._away = time.monotonic(), False
                    return answer
                said = (getattr(answer, "model_extra", None) or {}).get("error") or answer
                failed = openai.OpenAIError(f"it sent no answer, but {said}")
            except ValueError as error:
                failed = openai.OpenAIError(f"it sent no JSON ({error})")
            except openai.OpenAIError as error:
                failed = error
            alone += self._answered is not None and self._answered > began and not _is_busy(failed)
            if not _may_pass(failed) or self._answered is None or alone == FAILURES_ALONE:
                raise failed
            since = since or began
            if time.monotonic() > since + PATIENCE_SECONDS:
                raise OutageError(
                    f"{self.url}: model {self.name!r} has answered, and does not any more ({_reason(failed)}). Run the "
                    "same command again when it is back: it goes on from there."
                ) from failed
            if not self._away:
                self._away = True
                minutes = f"{PATIENCE_SECONDS / 60:.0f} minutes"
                logging.getLogger(__name__).warning(
                    "%s: does not answer any more; asked again for %s", self.url, minutes
                )
            if self._leaving.wait(PAUSE_SECONDS):
                raise failed

    def release(self) -> None:
        """Closes the connections."""
        self._client = None


def _may_pass(error: Exception) -> bool:
    """Whether the same request may be answered another time: no connection, no answer, too many requests, or 5xx."""
    status = getattr(error, "status_code", None)
    return status is None or _is_busy(error) or status >= 500


def _is_busy(error: Exception) -> bool:
    return getattr(error, "status_code", None) == 429


def _reason(error: Exception) -> str:
    """What a server said, in a line, without the key: servers repeat what they refuse."""
    secret = os.environ.get("OPENAI_API_KEY")
    said = str(error).replace(secret, "[key]") if secret else str(error)
    return said.splitlines()[0][:300] if said else type(error).__name__
