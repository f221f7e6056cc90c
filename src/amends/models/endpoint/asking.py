"""One request to a model behind a server: what is sent, what is refused of it, and what stands for no answer."""

import logging
import re
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from amends.errors import ModelError
from amends.models.base import Generation, Prompt, Sampling
from amends.models.endpoint.connection import Connection
from amends.models.endpoint.failures import FailsAloneError, shortened
from amends.models.endpoint.reply import Reply
from amends.records import Message

OPTIONAL = ("max_tokens", "top_p", "temperature", "seed", "response_format")
"""What a server may refuse, and is asked without then; models that reason take another limit than `max_tokens`."""
CONTINUED = {"continue_final_message": True, "add_generation_prompt": False}
"""How vLLM and SGLang are told to go on with the last turn, the model's own, in the place of a new one."""
FILTERED = (
    "content_filter",
    "content management policy",
    "ContentPolicyViolation",
    "invalid_prompt",
    "input was flagged",
)
"""How servers with a filter before the model refuse a prompt (Azure, OpenAI, OpenRouter): it alone has no answer."""
WORDS = 30  # characters of a question in which a word of the above can stand
REFUSING = (400, 403, 413, 422)  # with which a server refuses a request, for what it holds or for its length
REASONING_TOKENS = 4_096  # allowed beside the answer where limits count reasoning, too
MANY = 64  # requests, of which a server that gives most no answer is broken, or not meant for such prompts
UNANSWERED = Generation(text="", finished=False, tokens=1)  # no token would say that there was no room
NO_ROOM = Generation(text="", finished=False, tokens=0)


class Asking:
    """Asks one model over a connection, and remembers what its server refuses and how it answers.

    A request that the server cannot answer, while it answers others, has an empty answer: it costs its row alone.

    Args:
        connection: to the server; it is open when something is asked.
        form: what an answer has to look like, where the server can be told so; any text by default.
        system_prompt: the system turn of all conversations that have none of their own.
    """

    def __init__(self, connection: Connection, form: type[BaseModel] | None, system_prompt: str | None) -> None:
        self.connection, self.form, self.system_prompt = connection, form, system_prompt
        self._refused: set[str] = set()
        self._reasons = False
        self._answers = self._spent = self._asked = self._unanswered = 0

    @property
    def label(self) -> str:
        """Address and name, as messages begin."""
        return f"{self.connection.address.url}: model {self.connection.model!r}"

    async def ask(self, prompt: Prompt, sampling: Sampling, seed: int) -> Generation:
        """The answer to one prompt. Raises ModelError, and as `Connection.request` does."""
        request = self.request(prompt, sampling, seed)
        reasons = self._reasons  # as of now: others may find out meanwhile
        self._asked += 1
        try:
            reply = await self.reply(request, sampling.max_new_tokens, reasons)
            if isinstance(reply, Reply) and not reasons and self._has_reasoned(reply):
                reply = await self.reply(request, sampling.max_new_tokens, True)
            return reply if isinstance(reply, Generation) else _generation(reply)
        except FailsAloneError as error:
            return self._without_answer(error.__cause__)

    def request(self, prompt: Prompt, sampling: Sampling, seed: int) -> dict[str, Any]:
        """What is sent for a prompt, but for the limit of tokens."""
        turns = list(prompt.messages)
        if self.system_prompt and turns[0].role != "system":
            turns.insert(0, Message(role="system", content=self.system_prompt))
        request: dict[str, Any] = {
            "model": self.connection.model,
            "messages": [turn.model_dump() for turn in turns],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
        } | self.connection.address.options.sent
        if prompt.prefill:
            request["messages"].append({"role": "assistant", "content": prompt.prefill})
            request |= CONTINUED
        if self.form:
            schema = {"name": self.form.__name__.lower(), "schema": self.form.model_json_schema()}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        return request

    def _has_reasoned(self, reply: Reply) -> bool:
        """Whether this model spends its tokens before the answer: it shows so, or most of its answers are like that.

        One among many is an odd answer; it stays empty, and is tried again as any that is not taken.
        """
        self._answers += 1
        if not reply.cut or not (reply.reasoned or (not reply.text and (reply.tokens or 0) > 1)):
            return False
        self._spent += 1
        self._reasons = self._reasons or reply.reasoned or 2 * self._spent > self._answers
        return self._reasons

    async def reply(self, request: dict[str, Any], new_tokens: int, reasons: bool) -> Reply | Generation:
        """What the server answers; where it refuses this request alone, what stands in the answer's place."""
        import openai

        refused, beside = set(self._refused), REASONING_TOKENS
        while True:
            limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
            allowed = new_tokens + (beside if reasons or limit == "max_completion_tokens" else 0)
            sent = {key: value for key, value in (request | {limit: allowed}).items() if key not in refused}
            try:
                reply = await self.connection.request(sent)
                break
            except openai.APIStatusError as error:
                if error.status_code not in REFUSING:
                    raise
                said = f"{error.code} {error}"
                for message in request["messages"]:
                    if len(message["content"]) > WORDS:  # some servers repeat the question
                        said = said.replace(message["content"], "")
                if any(words in said for words in FILTERED):
                    return UNANSWERED
                if error.status_code == 403:
                    raise
                if error.status_code == 413:
                    return NO_ROOM
                if "context" in said or _is_too_much(allowed, limit, error):  # with the prompt, or more than ever
                    if allowed == new_tokens:
                        return NO_ROOM
                    beside = 0  # reasoning may be short, too
                    continue
                # Some servers do not say what they refuse: then it is the form, which the question asks for in words,
                # too.
                named = [key for key in OPTIONAL if key in sent and key in said] or ["response_format"]
                if named[0] in sent:
                    refused.add(named[0])
                elif await self._answers_short(request, new_tokens):
                    return self._without_answer(error)
                else:
                    raise
        self._refused |= refused
        if not reply.said and reply.tokens is not None and reply.tokens >= allowed:
            return replace(reply, ended=False, cut=True)
        return reply

    async def _answers_short(self, request: dict[str, Any], new_tokens: int) -> bool:
        """Whether what is refused is this request's text: the same with short messages is answered."""
        import openai

        short = shortened(request)
        if short == request:
            return False
        try:
            return isinstance(await self.reply(short, new_tokens, self._reasons), Reply)
        except openai.OpenAIError:
            return False

    def _without_answer(self, error: BaseException | None) -> Generation:
        """Counts it, says so where the count has doubled, and raises ModelError where most requests are like that."""
        self._unanswered += 1
        lost, asked = self._unanswered, self._asked
        reason = self.connection.reason_of(error)
        said = f"{self.label} gave no answer to {lost} of {asked} requests ({reason})"
        if asked >= MANY and 2 * lost > asked:
            raise ModelError(f"{said}, though it answers short ones; look at its log, and at how long the prompts are")
        if lost & (lost - 1) == 0:
            logging.getLogger(__name__).warning("%s; their rows go without", said)
        return UNANSWERED


def _is_too_much(allowed: int, limit: str, error: Any) -> bool:
    """Whether a server refuses so many tokens, and not that they are limited: it repeats the number.

    The number is looked for in the message alone, since 400 is also a code.
    """
    said = error.body.get("message") if isinstance(error.body, dict) else error.body
    return isinstance(said, str) and limit in said and bool(re.search(rf"\b{allowed}\b", said))


def _generation(reply: Reply) -> Generation:
    """The answer; tokens that a server does not count are at least one, since none would say that there was no room."""
    counted = UNANSWERED.tokens if reply.tokens is None else reply.tokens
    return Generation(reply.text, reply.ended, counted if reply.ended or reply.text else max(counted, 1))
