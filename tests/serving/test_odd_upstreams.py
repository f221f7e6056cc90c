"""Answers and requests as nobody should send them, most of them found by fuzzing (benchmarks/faults/fuzz.py)."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from amends.prompts import UNGUIDED
from amends.serving.additions import Additions
from amends.serving.asked import Asked, read_request
from amends.serving.backend import Whole
from amends.serving.judged import judged, judged_stream
from amends.serving.metrics import Metrics
from amends.serving.refusals import Refused
from amends.serving.verdicts import Said, Verdicts

ASKED = Asked({}, "Why?", guided=True)
NO_ANSWERS = (
    '{"choices": 7}',
    '{"choices": [7]}',
    '{"choices": [{"index": [], "KIND": {"content": "Hi."}}]}',
    '{"choices": [{"KIND": 7}]}',
    '{"choices": [{"KIND": {"content": 7}}]}',
    '{"choices": [{"KIND": {"content": [7]}}]}',
    "7",
    "[" * 100_000,
)


class Noting(Verdicts):
    """Calls all harmless, and notes what it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.refuse, self.metrics = "harmful", Metrics()

    async def of(self, prompt: object, answer: str) -> Said:
        self.shown.append(answer)
        return Said(0.9)


def streamed(*events: str, verdicts: Verdicts) -> list[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for one in events:
            yield f"data: {one}\n\n".encode()

    async def collect() -> list[bytes]:
        return [one async for one in judged_stream(pieces(), ASKED, verdicts, "No.")]

    return asyncio.run(collect())


@pytest.mark.parametrize("body", NO_ANSWERS, ids=lambda body: body[:40])
def test_what_cannot_be_judged_is_refused_in_a_line(body: str) -> None:
    with pytest.raises(Refused, match="cannot be read, and were not judged"):
        streamed(body.replace("KIND", "delta"), "[DONE]", verdicts=Noting())
    if '"index"' not in body:  # which nothing is made of there
        with pytest.raises(Refused, match="cannot be read, and was not judged"):
            asyncio.run(judged(Whole(body.replace("KIND", "message").encode()), ASKED, Noting(), "No."))


def test_half_a_surrogate_pair_is_sent_on_and_judged_as_text() -> None:
    verdicts, choice = Noting(), {"index": 0, "delta": {"content": "a \ud83d"}}
    events = streamed(json.dumps({"choices": [choice]}), "[DONE]", verdicts=verdicts)
    sent = json.loads(events[0].removeprefix(b"data: "))
    assert sent["choices"][0]["delta"]["content"] == "a \ud83d", "the next event may have the other half"
    assert verdicts.shown == ["a ?"]


def test_half_a_surrogate_pair_in_a_request_is_text_for_the_judge() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "Why \ud83d?"}]}).encode()
    assert read_request(body, None, Additions(UNGUIDED), "on", None).prompt == "Why ??"
