"""A language model behind any OpenAI-compatible endpoint."""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel

from amends.errors import InputError, ModelError
from amends.models.connection import Connection, FailsAloneError, reason_of, shortened
from amends.protocols import SHORT, Generation, ProgressCallback, Prompt, Sampling, no_progress
from amends.records import Message
from amends.seeds import derive_seed
from amends.store import fingerprint

PREFIX = "endpoint:"
AT_ONCE = "AMENDS_REQUESTS"  # the variable that says how many requests are in flight, which servers batch
DEFAULT_AT_ONCE = 16
WAVES = 16  # chunks are so many times as large, so that the last requests of one leave a server idle for a small part
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
REFUSING = (400, 403, 413, 422)  # with which a server refuses a request, for what it holds or for its length
REASONING_TOKENS = 4_096  # allowed beside the answer where limits count reasoning, too
MANY = 64  # requests, of which a server that gives most no answer is broken, or not meant for such prompts
UNANSWERED = Generation(text="", finished=False, tokens=1)  # no token would say that there was no room
NO_ROOM = Generation(text="", finished=False, tokens=0)


class EndpointModel:
    """A model behind an OpenAI-compatible endpoint, such as `vllm serve`, llama.cpp's server or a hosted one.

    A request that the server cannot answer, while it answers others, has an empty answer: it costs its row alone.

    Args:
        model: its name there.
        url: the base address, with `/v1` where the server has it.
        form: what an answer has to look like, where the server can be told so; any text by default.
        system_prompt: the system turn of all conversations that have none of their own.
    """

    def __init__(
        self, model: str, url: str, form: type[BaseModel] | None = None, system_prompt: str | None = None
    ) -> None:
        self.name = model
        self.url = url
        self.form = form
        self.system_prompt = system_prompt
        self.at_once = _requests_at_once()
        self._connection = Connection(url, model)
        self._refused: set[str] = set()
        self._reasons = False
        self._answers = self._spent = self._asked = self._unanswered = 0

    @classmethod
    def named(cls, name: str, form: type[BaseModel] | None = None, system_prompt: str | None = None) -> "EndpointModel":
        """From `endpoint:MODEL@URL`. Raises InputError where it is not of this form."""
        model, _, url = name.removeprefix(PREFIX).rpartition("@")
        if not model or not url.startswith(("http://", "https://")):
            raise InputError(f"{name!r}: write it as endpoint:MODEL@URL, as in endpoint:judge@http://localhost:8000/v1")
        return cls(model, url.rstrip("/"), form, system_prompt)

    @property
    def fingerprint(self) -> str:
        """Hash of name, address and system prompt: what the server runs under that name cannot be seen from here."""
        told = {"system_prompt": self.system_prompt} if self.system_prompt else {}
        return fingerprint(endpoint=self.url, model=self.name, **told)

    @property
    def rows_at_once(self) -> int:
        """Rows of a chunk."""
        return WAVES * self.at_once

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

        Raises ModelError where the server does not answer, has no room for so many tokens, fails at most requests, or a
        prompt has a prefill; OutageError where it has answered before, and stays away.
        """
        import openai

        for prompt in prompts:
            self.check(prompt)
        self._connection.open()

        def ask(row: int, prompt: Prompt) -> Generation:
            # Of its own for each row: equal prompts are there to be answered in several ways.
            made = self._ask(prompt, sampling, derive_seed(seed, "row", row) if sampling.temperature else seed)
            progress(1, made.tokens)
            return made

        try:
            pool = ThreadPoolExecutor(self.at_once)
            try:
                # One alone where it has never answered: whether it does is to be known before many are.
                alone = 1 if self._connection.answered is None else 0
                made = [ask(row, prompt) for row, prompt in enumerate(prompts[:alone])]
                made += pool.map(ask, range(alone, len(prompts)), prompts[alone:])
            except BaseException as error:
                self._connection.leaving.set()
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
                f"{self.url}: model {self.name!r} does not answer ({reason_of(error)}); is the server running, is the name "
                "one of its models, and is OPENAI_API_KEY set where it wants a key?"
            ) from error

    def _ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Generation:
        request: dict[str, Any] = {
            "model": self.name,
            "messages": [message.model_dump() for message in self._conversation(prompt)],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        }
        if self.form:
            schema = {"name": self.form.__name__.lower(), "schema": self.form.model_json_schema()}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        reasons = self._reasons  # as of now: other threads may find out meanwhile
        self._asked += 1
        try:
            made, choice = self._answer(request, sampling.max_new_tokens, reasons)
            if choice and not reasons and self._has_reasoned(made, choice):
                made, _ = self._answer(request, sampling.max_new_tokens, True)
            return made
        except FailsAloneError as error:
            return self._without_answer(error.__cause__)

    def _conversation(self, prompt: Prompt) -> tuple[Message, ...]:
        if not self.system_prompt or prompt.messages[0].role == "system":
            return prompt.messages
        return (Message(role="system", content=self.system_prompt), *prompt.messages)

    def _has_reasoned(self, made: Generation, choice: Any) -> bool:
        """Whether this model spends its tokens before the answer: it says so, or most of its answers are like that.

        One among many is an odd answer; it stays empty, and is tried again as any that is not taken.
        """
        self._answers += 1
        if choice.finish_reason != "length" or made.text or made.tokens <= 1:
            return False
        self._spent += 1
        thought = getattr(choice.message, "reasoning_content", None) or getattr(choice.message, "reasoning", None)
        self._reasons = self._reasons or bool(thought) or 2 * self._spent > self._answers
        return self._reasons

    def _answer(self, request: dict[str, Any], new_tokens: int, reasons: bool) -> tuple[Generation, Any]:
        """What is made of a request, and what the server answered; None where it refuses this request alone."""
        import openai

        refused = set(self._refused)
        while True:
            limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
            allowed = new_tokens + (REASONING_TOKENS if reasons or limit == "max_completion_tokens" else 0)
            sent = {key: value for key, value in (request | {limit: allowed}).items() if key not in refused}
            try:
                answer = self._connection.request(sent)
                break
            except openai.APIStatusError as error:
                if error.status_code not in REFUSING:
                    raise
                said = f"{error.code} {error}"
                for message in request["messages"]:
                    if len(message["content"]) > WORDS:  # some servers repeat the question
                        said = said.replace(message["content"], "")
                if any(words in said for words in FILTERED):
                    return UNANSWERED, None
                if error.status_code == 403:
                    raise
                if "context" in said or error.status_code == 413:  # the prompt is too long for the model
                    return NO_ROOM, None
                # Some servers do not say what they refuse: then it is the form, which the question asks for in words, too.
                named = [key for key in OPTIONAL if key in sent and key in said] or ["response_format"]
                if named[0] in sent:
                    refused.add(named[0])
                elif self._answers_short(request, new_tokens):
                    return self._without_answer(error), None
                else:
                    raise
        self._refused |= refused
        choice = answer.choices[0]
        counted = getattr(answer.usage, "completion_tokens", None)
        text = (choice.message.content or "").encode("utf-8", "replace").decode()  # half a surrogate pair is no text
        made = Generation(text, choice.finish_reason == "stop", UNANSWERED.tokens if counted is None else counted)
        return made, choice

    def _answers_short(self, request: dict[str, Any], new_tokens: int) -> bool:
        """Whether what is refused is this request's text: the same with short messages is answered."""
        import openai

        short = shortened(request)
        if short == request:
            return False
        try:
            return self._answer(short, new_tokens, self._reasons)[1] is not None
        except openai.OpenAIError:
            return False

    def _without_answer(self, error: BaseException | None) -> Generation:
        """Counts it, says so where the count has doubled, and raises ModelError where most requests are like that."""
        self._unanswered += 1
        lost, asked = self._unanswered, self._asked
        said = f"{self.url}: model {self.name!r} gave no answer to {lost} of {asked} requests ({reason_of(error)})"
        if asked >= MANY and 2 * lost > asked:
            raise ModelError(f"{said}, though it answers short ones; look at its log, and at how long the prompts are")
        if lost & (lost - 1) == 0:
            logging.getLogger(__name__).warning("%s; their rows go without", said)
        return UNANSWERED

    def release(self) -> None:
        """Closes the connections."""
        self._connection.close()


def _requests_at_once() -> int:
    said = os.environ.get(AT_ONCE) or str(DEFAULT_AT_ONCE)
    if not said.isascii() or not said.isdigit() or not 1 <= int(said) <= 4096:
        raise InputError(f"{AT_ONCE}={said}: give the number of requests to have in flight, 1 to 4096")
    return int(said)
