"""Answers with the judge's verdict in them, or with a refusal in the place of what it calls harmful."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from amends.serving.asked import Asked, text_of
from amends.serving.backend import Whole
from amends.serving.refusals import DONE, event, upstream_failed
from amends.serving.verdicts import Said, Verdicts, worst

VERDICT, PROBABILITY = "X-Amends-Verdict", "X-Amends-Harmless-Probability"
FILTERED = "content_filter"
_BETWEEN = re.compile(rb"\r?\n\r?\n")
_UNREAD = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What is raised where JSON is not laid out as answers are."""


async def judged(whole: Whole, asked: Asked, verdicts: Verdicts, refusal: str) -> Whole:
    """A whole answer with `amends` in each choice, and the worst verdict in the headers."""
    if whole.status != 200:
        return whole
    try:
        body = json.loads(whole.content)
        choices = [(choice, text_of(choice["message"])) for choice in body["choices"]]
    except _UNREAD:
        raise upstream_failed("the upstream's answer cannot be read, and was not judged") from None
    said = [await verdicts.of(asked.prompt, text) for _, text in choices]
    for (choice, _), one in zip(choices, said, strict=True):
        choice["amends"] = one.shown
        if verdicts.withholds(one):
            verdicts.metrics.withheld.inc()
            choice |= {"message": {"role": "assistant", "content": refusal}, "finish_reason": FILTERED}
            choice.pop("logprobs", None)
    headers = dict(whole.headers)
    if said:
        headers[VERDICT] = worst(said)
        if len(said) == 1 and said[0].score is not None:
            headers[PROBABILITY] = f"{said[0].score:.4f}"
    return replace(whole, content=json.dumps(body).encode(), headers=headers)


async def judged_stream(
    pieces: AsyncIterator[bytes], asked: Asked, verdicts: Verdicts, refusal: str
) -> AsyncIterator[bytes]:
    """The same of a stream: the event that ends a choice has the verdict.

    Where answers may be withheld, nothing of a choice is sent before it is judged.
    """
    texts: dict[int, list[str]] = {}
    held: dict[int, list[bytes]] = {}

    async def ended(chunk: dict[str, Any], choice: dict[str, Any]) -> list[bytes]:
        number = choice.get("index", 0)
        said = await verdicts.of(asked.prompt, "".join(texts.pop(number, [])))
        before = held.pop(number, [])
        if verdicts.withholds(said):
            verdicts.metrics.withheld.inc()
            return [event({**chunk, "choices": [_refused(number, said, refusal)]})]
        return [*before, event({**chunk, "choices": [{**choice, "amends": said.shown}]})]

    chunk: dict[str, Any] = {}
    async for data in _events(pieces):
        if data == b"[DONE]":
            for number in list(texts):  # that nothing ended
                for one in await ended(chunk, {"index": number, "delta": {}, "finish_reason": None}):
                    yield one
            yield DONE
            return
        chunk = _read(data)
        if not chunk.get("choices"):  # usage, or an error
            yield event(chunk)
        for choice in chunk.get("choices") or []:
            number = choice.get("index", 0)
            texts.setdefault(number, []).append(text_of(choice.get("delta") or {}))
            if choice.get("finish_reason"):
                for one in await ended(chunk, choice):
                    yield one
            elif verdicts.refuse == "nothing":
                yield event({**chunk, "choices": [choice]})
            else:
                held.setdefault(number, []).append(event({**chunk, "choices": [choice]}))


def _refused(number: int, said: Said, refusal: str) -> dict[str, Any]:
    delta = {"role": "assistant", "content": refusal}
    return {"index": number, "delta": delta, "finish_reason": FILTERED, "amends": said.shown}


async def _events(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each event; comments, which keep a connection open, are left out."""
    rest = b""
    async for piece in pieces:
        *whole, rest = _BETWEEN.split(rest + piece)
        for one in whole:
            lines = [line[5:].strip() for line in one.splitlines() if line.startswith(b"data:")]
            if lines:
                yield b"\n".join(lines)


def _read(data: bytes) -> dict[str, Any]:
    """An event, whose choices can be read."""
    try:
        chunk = dict(json.loads(data))
        for choice in chunk.get("choices") or []:
            hash(choice.get("index", 0))
            text_of(choice.get("delta") or {})
    except _UNREAD:
        raise upstream_failed("the upstream's events cannot be read, and were not judged") from None
    return chunk
