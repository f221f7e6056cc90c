"""A model that is loaded here, one answer at a time. For more users, `vllm serve` stands behind as the upstream."""

import asyncio
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from amends.errors import ConfigError, ModelError
from amends.models.base import Generation, Prompt, Sampling, SamplingSettings
from amends.models.chat import end_tokens
from amends.models.hf import LocalModel
from amends.serving.asked import LIMITS, Asked, turns_of
from amends.serving.backend import Whole
from amends.serving.refusals import DONE, Refused, bad_request, event

DEFAULT_TOKENS = 1_024
UNSUPPORTED = (
    *("tools", "functions", "stop", "logprobs", "top_logprobs", "logit_bias"),
    *("frequency_penalty", "presence_penalty"),
)


class Local:
    """A model here.

    Args:
        model: without a system prompt of its own, since the server adds that.
        name: that clients call it by.
        prefill: the opening of each answer, which is not a part of it.
        sampling: how tokens are drawn where a request does not say; at most `max_new_tokens`.
    """

    at_once: int | None = 1

    def __init__(self, model: LocalModel, name: str, prefill: str, sampling: Sampling) -> None:
        self.model, self.name, self.prefill, self.sampling = model, name, prefill, sampling

    async def start(self) -> None:
        """Loads it. Raises ModelError where it cannot be loaded."""
        await asyncio.to_thread(lambda: (self.model.tokenizer, self.model.model))

    async def stop(self) -> None:
        """Frees it."""
        self.model.release()

    async def models(self) -> Whole:
        """A list of one."""
        one = {"id": self.name, "object": "model", "created": 0, "owned_by": "amends"}
        return Whole(json.dumps({"object": "list", "data": [one]}).encode())

    async def answer(self, asked: Asked) -> Whole:
        """The answer, without reasoning. Raises Refused (400) for what it cannot be asked."""
        ids, sampling = self._read(asked)
        async with self._generating(asked, ids, sampling, None) as made:
            generation = await asyncio.shield(made)
        message = {"role": "assistant", "content": generation.text}
        choice = {"index": 0, "message": message, "finish_reason": _reason(generation)}
        body = self._frame("chat.completion") | {"choices": [choice], "usage": _usage(ids, generation)}
        return Whole(json.dumps(body).encode())

    @asynccontextmanager
    async def stream(self, asked: Asked) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer in pieces, word by word. Raises Refused (400) as `answer`."""
        ids, sampling = self._read(asked)
        streamer = _streamer(self.model)
        async with self._generating(asked, ids, sampling, streamer) as made:
            yield self._events(asked, ids, streamer, made)

    async def _events(
        self, asked: Asked, ids: list[int], streamer: Any, made: asyncio.Future[Generation]
    ) -> AsyncIterator[bytes]:
        frame = self._frame("chat.completion.chunk")

        def chunk(delta: Mapping[str, str], reason: str | None = None) -> bytes:
            return event(frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

        yield chunk({"role": "assistant", "content": ""})
        begun = False
        async for piece in streamer:
            text = piece if begun else piece.lstrip()
            if text:
                begun = True
                yield chunk({"content": text})
        generation = await asyncio.shield(made)
        yield chunk({}, _reason(generation))
        options = asked.body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            yield event(frame | {"choices": [], "usage": _usage(ids, generation)})
        yield DONE

    @asynccontextmanager
    async def _generating(
        self, asked: Asked, ids: list[int], sampling: Sampling, streamer: Any
    ) -> AsyncIterator[asyncio.Future[Generation]]:
        """Generates in a thread, which has ended when this has: also where the client leaves before."""
        left, seed = threading.Event(), asked.body.get("seed")
        seed = seed if isinstance(seed, int) else secrets.randbits(31)
        made = asyncio.get_running_loop().run_in_executor(None, self._generate, ids, sampling, seed, streamer, left)
        try:
            yield made
        finally:
            left.set()
            await asyncio.wait([made])

    def _generate(
        self, ids: list[int], sampling: Sampling, seed: int, streamer: Any, left: threading.Event
    ) -> Generation:
        from amends.models.decoding.decoders import BatchDecoder
        from amends.models.decoding.sampling import Sampler

        model, tokenizer = self.model.model, self.model.tokenizer
        ends = end_tokens(tokenizer, model.generation_config)
        sampler = Sampler(sampling.temperature, sampling.top_p, seed % 2**63, model.device)
        decoder = BatchDecoder(model, sampler, ends, tokenizer.pad_token_id)
        try:
            made = decoder.decode([ids], sampling.max_new_tokens, 1, streamer=streamer, stopping_criteria=_until(left))
        except BaseException:
            if streamer:
                streamer.end()  # whoever waits for pieces is told the error then
            raise
        return self.model.generation_of(made[0], ends)

    def _read(self, asked: Asked) -> tuple[list[int], Sampling]:
        """The prompt's tokens, and how the answer's are drawn. Raises Refused for what this model cannot be asked."""
        body = asked.body
        if body.get("model") not in (None, self.name):
            raise Refused(404, f"there is no such model here; name {self.name!r}, or leave it out")
        found = [name for name in UNSUPPORTED if body.get(name)]
        found += ["n"] if (body.get("n") or 1) != 1 else []
        form = body.get("response_format")
        found += ["response_format"] if form and form != {"type": "text"} else []
        if found:
            raise bad_request(
                f"{', '.join(found)}: a model that amends loads itself has none; leave it out, or serve an upstream"
            )
        try:
            prompt = Prompt(tuple(turns_of(body["messages"])), self.prefill)
            text = self.model.render(prompt)
        except ValidationError:
            raise bad_request("messages: this model takes turns of system, user and assistant alone") from None
        except ModelError as error:
            raise bad_request(str(error)) from None
        ids = list(self.model.tokenizer(text, add_special_tokens=False).input_ids)
        return ids, self._sampling(body, len(ids))

    def _sampling(self, body: Mapping[str, Any], used: int) -> Sampling:
        context = getattr(self.model.model.config.get_text_config(), "max_position_embeddings", None)
        room = max((context or 2**31) - used, 0)
        wanted = next((body[name] for name in LIMITS if body.get(name) is not None), None)
        tokens = min(self.sampling.max_new_tokens, room) if wanted is None else wanted
        if room < 1 or (isinstance(tokens, int) and tokens > room):
            raise bad_request(
                f"the conversation has {used} tokens and leaves {room} of {context} for the answer; shorten it"
            )
        given = {name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None}
        try:
            settings = SamplingSettings.model_validate(
                {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p, **given}
                | {"max_new_tokens": tokens}
            )
        except ConfigError as error:
            raise bad_request("; ".join(error.problems)) from None
        return settings.sampling()

    def _frame(self, kind: str) -> dict[str, Any]:
        name = f"chatcmpl-{secrets.token_hex(12)}"
        return {"id": name, "object": kind, "created": int(time.time()), "model": self.name}


def _reason(generation: Generation) -> str:
    return "stop" if generation.finished else "length"


def _usage(ids: list[int], generation: Generation) -> dict[str, int]:
    read, made = len(ids), generation.tokens
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}


def _streamer(model: LocalModel) -> Any:
    """Whole words as they are generated, without the tokens that end an answer."""
    from transformers import AsyncTextIteratorStreamer

    ends = end_tokens(model.tokenizer, model.model.generation_config)

    class Pieces(AsyncTextIteratorStreamer):
        def put(self, value: Any) -> None:
            if self.next_tokens_are_prompt or int(value[0]) not in ends:
                super().put(value)

    return Pieces(model.tokenizer, skip_prompt=True, skip_special_tokens=True)


def _until(left: threading.Event) -> Any:
    """Stops a generation that nobody waits for any more."""
    import torch
    from transformers import StoppingCriteria, StoppingCriteriaList

    class Left(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            return torch.full((len(input_ids),), left.is_set(), device=input_ids.device)

    return StoppingCriteriaList([Left()])
