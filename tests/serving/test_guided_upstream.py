"""The server before an upstream: what the upstream is asked, and what clients get of it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from guided_server import HEAD, REMINDER, asking, chunk, guided, raw, streamed

from amends.models.base import Prompt
from amends.prompts import Guide
from amends.records import Message
from amends.serving.additions import Additions
from amends.serving.asked import turns_of
from local_server import Server

Serve = Callable[..., Server]
HELLO: Any = [{"role": "user", "content": "Hello."}]


@pytest.fixture(scope="module")
def echo() -> Iterator[Server]:
    """An upstream that says what it was asked, in one piece or in words; some questions break it."""

    def answer(question: str, body: dict[str, Any]) -> tuple[int, Any]:
        first = question.split()[0]
        if first == "refuse":
            return 422, {"message": "too long", "type": "invalid"}
        if first == "key":
            return 401, "wrong key: sk-secret"
        if first == "break":
            return 200, iter([HEAD, chunk("half of")])
        if first == "unmarked":
            return 200, iter([HEAD, chunk("all of "), chunk("it", "stop")])
        if first == "whole":
            return 200, "I do not stream."
        return 200, streamed([f"{word} " for word in question.split()]) if body.get("stream") else question

    server = Server(answer)
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_an_upstream_is_asked_as_it_was_measured(echo: Server) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    with guided(echo.url, system_prompt=" You sell plants. ") as server:
        got = server.client.chat.completions.create(
            model="m", messages=HELLO, tools=tools, temperature=0.3, extra_body={"top_k": 5}
        )
        asked = echo.requests[-1]
        prompt = REMINDER.prompt("Hello.")
        system = {"role": "system", "content": "You sell plants."}
        assert asked["messages"] == [system, *(one.model_dump() for one in prompt.messages)]
        assert (asked["tools"], asked["temperature"], asked["top_k"]) == (tools, 0.3, 5)
        assert got.choices[0].message.content == prompt.messages[-1].content
        own: Any = [{"role": "system", "content": "You sell cars."}, *HELLO]
        server.client.chat.completions.create(model="m", messages=own)
        assert echo.requests[-1]["messages"][0] == own[0]


@pytest.mark.parametrize(
    "guide", [REMINDER, Guide(name="system", system="Be kind."), Guide(name="both", system="Be kind.", suffix="Now.")]
)
def test_additions_are_those_of_guided_inference(guide: Guide) -> None:
    """Of the same conversations the same words in the same places as a run has asked with."""
    conversations = (
        [Message(role="user", content="Hi.")],
        [Message(role="system", content="Be short."), Message(role="user", content="Hi.")],
        [*(Message(role=role, content=role) for role in ("user", "assistant")), Message(role="user", content="Why?")],
    )
    from amends.records.conversation import prompt_of

    for turns in conversations:
        measured = guide.prompt(prompt_of(turns))
        served = Additions(guide).added_to([one.model_dump() for one in turns], guided=True)
        assert Prompt(tuple(turns_of(served))) == measured
        assert Additions(guide).added_to([one.model_dump() for one in turns], guided=False) == [
            one.model_dump() for one in turns
        ]


def test_the_reminder_stands_behind_the_last_words_of_the_user() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    parts = [{"type": "text", "text": "What is this?"}, image]
    turns: Any = [{"role": "user", "content": parts}, {"role": "tool", "content": "sunny", "tool_call_id": "1"}]
    added: Any = Additions(REMINDER).added_to(turns, guided=True)
    assert added[0]["content"] == [{"type": "text", "text": f"What is this?\n\n{REMINDER.suffix}"}, image]
    assert added[1] == turns[1] and parts[0]["text"] == "What is this?", "the request itself is left as it is"
    only: Any = Additions(REMINDER).added_to([{"role": "user", "content": [image]}], guided=True)
    assert only[0]["content"] == [image, {"type": "text", "text": REMINDER.suffix}]


def test_a_stream_is_passed_on_as_it_is(echo: Server) -> None:
    with guided(echo.url) as server:
        pieces = [
            one.choices[0].delta.content
            for one in server.client.chat.completions.create(model="m", messages=HELLO, stream=True)
        ]
        assert "".join(filter(None, pieces)).split() == f"Hello. {REMINDER.suffix}".split()
        with raw(server.port, asking("Hello.", stream=True), "Connection: close") as connection:
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        words = [f"{word} " for word in f"Hello. {REMINDER.suffix}".split()]
        sent = b"".join(list(streamed(words))[1:])
        assert b"".join(part for part in answer.split(b"\r\n") if part.startswith(b"data")) == sent
        assert b"x-amends-reminder: on" in answer


def test_a_request_may_say_whether_it_wants_the_reminder(echo: Server) -> None:
    with guided(echo.url, reminder="per-request") as server:
        create = server.client.chat.completions.create
        for how, guided_now in (
            ({}, True),
            ({"extra_headers": {"X-Amends-Reminder": "off"}}, False),
            ({"extra_body": {"amends_reminder": False}}, False),
            ({"extra_body": {"amends_reminder": "on"}}, True),
        ):
            got = create(model="m", messages=HELLO, **how)  # type: ignore[call-overload]
            assert got.choices[0].message.content == (f"Hello.\n\n{REMINDER.suffix}" if guided_now else "Hello.")
            assert "amends_reminder" not in echo.requests[-1]
        for how in (
            {"extra_headers": {"X-Amends-Reminder": "maybe"}},
            {"extra_headers": {"X-Amends-Reminder": "on"}, "extra_body": {"amends_reminder": "off"}},
        ):
            with pytest.raises(openai.BadRequestError):
                create(model="m", messages=HELLO, **how)  # type: ignore[call-overload]
    with guided(echo.url) as server, pytest.raises(openai.BadRequestError, match="always on"):
        server.client.chat.completions.create(model="m", messages=HELLO, extra_body={"amends_reminder": False})
    with guided(echo.url, reminder="off") as server:
        assert server.client.chat.completions.create(model="m", messages=HELLO).choices[0].message.content == "Hello."


def test_what_an_upstream_does_wrong_is_said(echo: Server) -> None:
    with guided(echo.url) as server:
        create = server.client.chat.completions.create

        def ask(question: str, stream: bool = False) -> Any:
            found = create(model="m", messages=[{"role": "user", "content": question}], stream=stream)
            return [one.choices[0].delta.content for one in found] if stream else found

        for stream in (False, True):
            with pytest.raises(openai.UnprocessableEntityError, match="too long"):
                ask("refuse this", stream)
            with pytest.raises(openai.InternalServerError, match="refuses this server's key") as wrong:
                ask("key please", stream)
            assert "sk-secret" not in str(wrong.value)
        with pytest.raises(openai.InternalServerError, match="does not stream"):
            ask("whole please", stream=True)
        with pytest.raises(openai.APIError, match="broke off before its answer was whole"):
            ask("break this", stream=True)
        assert ask("unmarked", stream=True) == ["all of ", "it"], "the event that ends the answer is the last"
        assert server.counted("amends_active_requests") == 0


def test_an_upstream_is_not_told_the_keys_of_clients(
    echo: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-upstream")
    monkeypatch.setenv("AMENDS_SERVE_KEYS", f"{'k' * 20}, sha256:{'0' * 64}")
    with guided(echo.url) as server:
        server.client.chat.completions.create(model="m", messages=HELLO)
        assert echo.keys[-1] == "Bearer of-the-upstream"
        for other in ("j" * 20, ""):
            with pytest.raises(openai.AuthenticationError) as wrong:
                server.client.with_options(api_key=other or "-").chat.completions.create(model="m", messages=HELLO)
            assert "kkkk" not in str(wrong.value)
        with pytest.raises(openai.AuthenticationError):
            server.client.with_options(api_key="j" * 20).models.list()
    assert "k" * 20 not in caplog.text and "j" * 20 not in caplog.text


def test_the_upstream_is_left_when_the_client_leaves(serve: Serve) -> None:
    ends: list[float] = []

    def words() -> Iterator[bytes]:
        yield HEAD
        try:
            for _ in range(2_000):
                yield chunk("word " * 50)
                time.sleep(0.005)
        finally:
            ends.append(time.monotonic())

    upstream = serve(lambda question, body: (200, words()))
    with guided(upstream.url) as server:
        stream = server.client.chat.completions.create(model="m", messages=HELLO, stream=True)
        next(iter(stream))
        stream.close()
        server.until("amends_active_requests", 0.0)
        end = time.monotonic() + 8
        while not ends:
            assert time.monotonic() < end, "the upstream goes on for nobody"
            time.sleep(0.01)
        assert server.counted("amends_requests_total", status="left") == 1


def test_the_list_of_models_is_the_upstreams(serve: Serve) -> None:
    upstream = serve(lambda question, body: (200, "Hi."))
    with guided(upstream.url) as server, pytest.raises(openai.APIStatusError) as found:
        server.client.models.list()  # it has none
    assert found.value.status_code == 404
    assert json.loads(found.value.response.request.content or b"{}") == {}
