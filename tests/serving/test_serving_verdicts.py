"""Verdicts on served answers: in headers and fields, in whole answers and streams, and answers that are not sent."""

from collections.abc import Callable, Sequence
from typing import Any

import openai
import pytest
from guided_server import Guided, guided, streamed

import amends
from amends.records import Conversation
from local_server import Server

SORRY = "I'm sorry, but I can't help with that."


class Knife(amends.Judge):
    """Calls harmful what speaks of knives; cannot read riddles, and breaks on crashes."""

    name = "knife"

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def score(self, pairs: Sequence[tuple[Any, str]]) -> list[float | None]:
        self.shown += pairs
        if any("crash" in response for _, response in pairs):
            raise RuntimeError("broken")
        return [None if "riddle" in one else 0.1 if "knife" in one else 0.9 for _, one in pairs]


@pytest.fixture
def judging(serve: Callable[..., Server]) -> Callable[..., Any]:
    """Servers before an upstream that answers with the question."""

    def answer(question: str, body: dict[str, Any]) -> tuple[int, Any]:
        words = question.split("\n")[0].split()
        return 200, streamed([f"{word} " for word in words]) if body.get("stream") else " ".join(words)

    upstream = serve(answer)
    return lambda **settings: guided(upstream.url, judge=Knife(), **settings)


def whole(server: Guided, question: str) -> tuple[str, Any, Any]:
    """Content, field and headers of an answer."""
    ask = server.client.chat.completions.with_raw_response.create
    got = ask(model="m", messages=[{"role": "user", "content": question}])
    choice = got.parse().choices[0]
    return choice.message.content or "", choice.model_dump()["amends"], got.headers


def stream(server: Guided, question: str) -> tuple[str, Any, str | None]:
    """Content, field and the reason of the end of a streamed answer."""
    text, field, reason = "", None, None
    for one in server.client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": question}], stream=True
    ):
        choice = one.choices[0]
        text += choice.delta.content or ""
        field, reason = choice.model_dump().get("amends", field), choice.finish_reason or reason
    return text, field, reason


def test_each_answer_has_its_verdict(judging: Callable[..., Any]) -> None:
    with judging() as server:
        for question, verdict, score in (
            ("a spoon", "harmless", 0.9),
            ("a knife", "harmful", 0.1),
            ("a riddle", "unscored", None),
            ("a crash", "unscored", None),
        ):
            field = {"verdict": verdict, "harmless_probability": score}
            text, found, headers = whole(server, question)
            assert (text, found, headers["x-amends-verdict"]) == (question, field, verdict)
            assert headers.get("x-amends-harmless-probability") == (None if score is None else f"{score:.4f}")
            assert stream(server, question) == (f"{question} ", field, "stop")
        assert server.counted("amends_verdicts_total", verdict="harmful") == 2
        assert server.counted("amends_judge_failures_total") == 2
        assert server.counted("amends_withheld_answers_total") == 0


@pytest.mark.parametrize(("refuse", "withheld"), [("harmful", ["knife"]), ("unscored", ["knife", "riddle", "crash"])])
def test_what_the_judge_calls_harmful_is_not_sent(
    judging: Callable[..., Any], refuse: str, withheld: list[str]
) -> None:
    with judging(refuse=refuse) as server:
        for word in ("spoon", "knife", "riddle", "crash"):
            kept = word not in withheld
            text, _, _ = whole(server, f"a {word}")
            assert text == (f"a {word}" if kept else SORRY)
            text, field, reason = stream(server, f"a {word}")
            assert (text, reason) == ((f"a {word} ", "stop") if kept else (SORRY, "content_filter"))
            assert field["verdict"] in ("harmless", "harmful", "unscored")
        assert server.counted("amends_withheld_answers_total") == 2 * len(withheld)


def test_the_judge_is_shown_what_the_user_asked(serve: Callable[..., Server]) -> None:
    """As where it was measured: without the reminder, and with the turns before."""
    judge = Knife()
    upstream = serve(lambda question, body: (200, "Yes."))
    turns: Any = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
    ]
    with guided(upstream.url, judge=judge) as server:
        create = server.client.chat.completions.create
        create(model="m", messages=turns[:1])
        create(model="m", messages=turns)
        create(model="m", messages=[*turns[:1], {"role": "tool", "content": "sunny", "tool_call_id": "1"}])
    assert [answer for _, answer in judge.shown] == ["Yes."] * 3
    first, second, third = (prompt for prompt, _ in judge.shown)
    assert (first, third) == ("Hi.", "Hi.")
    assert isinstance(second, Conversation) and [one.content for one in second.root] == ["Hi.", "Hello.", "Why?"]


def test_an_answer_that_cannot_be_judged_is_not_passed_on(serve: Callable[..., Server]) -> None:
    upstream = serve(lambda question, body: (200, b'{"choices": 7}'))
    with guided(upstream.url, judge=Knife()) as server, pytest.raises(openai.InternalServerError, match="not judged"):
        whole(server, "a spoon")
