"""What servers send: ends in any words, content in any form, and bodies that hold no answer."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from amends.errors import InputError, ModelError
from amends.models.base import Generation, Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.endpoint.reply import NoReplyError, read_reply
from amends.models.load import load_model
from amends.records import Message
from local_server import Server

WHY = "It encourages cruelty."


def body(content: Any = WHY, reason: Any = "stop", usage: Any = None, **more: Any) -> bytes:
    message = {"role": "assistant", "content": content} | more
    return json.dumps({"choices": [{"index": 0, "finish_reason": reason, "message": message}], "usage": usage}).encode()


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt((Message(role="user", content=text),)) for text in texts]


def ask(server: Server, *texts: str, tokens: int = 64) -> list[Generation]:
    return EndpointModel("m", server.url).generate(prompts(*texts), Sampling(tokens), 0)


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "", None, "COMPLETE"]
)
def test_any_word_for_its_own_end_says_that_the_model_ended(reason: Any) -> None:
    reply = read_reply(body(reason=reason))
    assert (reply.text, reply.ended, reply.cut) == (WHY, True, False)


@pytest.mark.parametrize(
    "reason",
    ["length", "max_tokens", "MAX_TOKENS", "model_length", "max_output_tokens", "model_context_window_exceeded"],
)
def test_any_word_for_the_limit_says_that_it_was_cut(reason: str) -> None:
    reply = read_reply(body(reason=reason))
    assert (reply.ended, reply.cut) == (False, True)


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "error", "abort", "tool_calls", "timeout", "preempted"])
def test_what_something_else_ended_is_neither(reason: str) -> None:
    reply = read_reply(body(reason=reason))
    assert (reply.ended, reply.cut) == (False, False)


def test_who_does_not_say_how_it_ended_and_used_all_tokens_was_cut(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, body(reason=None, usage={"completion_tokens": 8})))
    assert [one.finished for one in (*ask(server, "Why?", tokens=8), *ask(server, "Why?", tokens=9))] == [False, True]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "It "}, {"type": "text", "text": "is."}], "It is."),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": WHY}], WHY),
        ([{"type": "output_text", "text": WHY}, "!"], f"{WHY}!"),
        ([{"type": "reasoning", "text": "Hm."}, {"text": WHY}], WHY),
    ],
)
def test_parts_of_an_answer_are_joined(content: Any, text: str) -> None:
    assert read_reply(body(content)).text == text


def test_a_refusal_in_a_field_of_its_own_is_what_the_user_sees() -> None:
    for content in (None, "", [{"type": "refusal", "refusal": "I will not."}]):
        reply = read_reply(body(content, refusal=None if content else "I will not."))
        assert (reply.text, reply.ended) == ("I will not.", True)


def test_reasoning_is_never_the_answer() -> None:
    blocks = read_reply(body(f"<think>It is told to be harmful.</think>\n\n{WHY}"))
    assert (blocks.text, blocks.ended, blocks.reasoned) == (WHY, True, True)
    beside = read_reply(body(WHY, reasoning_content="It is told to be harmful."))
    assert (beside.text, beside.ended, beside.reasoned) == (WHY, True, True)
    for spent in (body("<think>It is told to be"), body("", reasoning_content="It is told"), body("<think>a</think>")):
        reply = read_reply(spent)
        assert (reply.text, reply.ended) == ("", False), "its tokens went for reasoning: it was cut"
    with pytest.raises(NoReplyError, match="no content"):
        read_reply(body(None, reasoning_content="It is told to be harmful."))
    assert read_reply(body("")).ended, "an answer of no words that the model ended"


BROKEN = [
    b"<html>Bad gateway</html>",
    b"[]",
    b"",
    b"null",
    b'"text"',
    b'{"choices": [',
    b"[" * 200_000,
    b'{"choices": ' + b"9" * 5_000 + b"}",
    b'{"error": {"message": "overloaded"}}',
    b'{"choices": null}',
    b'{"choices": []}',
    b'{"choices": "text"}',
    b'{"choices": [null]}',
    b'{"choices": [{"finish_reason": "stop"}]}',
    b'{"choices": [{"message": null}]}',
    b'{"choices": [{"message": "text"}]}',
    body(None),
    body(7),
    body({"a": 1}),
    body([7]),
    body([{"type": "text", "text": 7}]),
    body([{"type": "image"}]),
    body(reason=7),
    body(reason=["stop"]),
    body(usage="many"),
    body(usage=[1]),
    body(usage={"completion_tokens": "9"}),
    body(refusal=7),
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_a_body_without_an_answer_costs_its_row_alone(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    server = serve(lambda question, _: (200, broken if question == "odd" else WHY))
    made = ask(server, "a", "odd", "b")
    assert [(one.text, one.finished, one.had_no_room) for one in made] == [
        (WHY, True, False),
        ("", False, False),
        (WHY, True, False),
    ]
    assert "gave no answer to 1 of 3 requests" in caplog.text


def test_a_server_of_such_bodies_alone_is_an_error(serve: Callable[..., Server]) -> None:
    for broken in (b"[]", body(None), body(7)):
        with pytest.raises(ModelError, match="does not answer"):
            ask(serve(lambda *_, broken=broken: (200, broken)), "a")


def trickle() -> Iterator[bytes]:
    """A body that never ends, and never pauses for long."""
    yield b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    for _ in range(6_000):
        yield b" "
        time.sleep(0.05)


def trickle_of_headers() -> Iterator[bytes]:
    yield b"HTTP/1.0 200 OK\r\n"
    for number in range(6_000):
        yield f"X-{number}: a\r\n".encode()
        time.sleep(0.05)


def silence() -> Iterator[bytes]:
    time.sleep(300)
    yield b""


@pytest.mark.parametrize("send", [trickle, trickle_of_headers, silence])
def test_a_request_that_never_ends_costs_its_row_alone(
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    send: Callable[[], Iterator[bytes]],
) -> None:
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    monkeypatch.setenv("AMENDS_REQUEST_SECONDS", "0.7")
    server = serve(lambda question, _: (200, send() if question == "slow" else WHY))
    began = time.monotonic()
    assert [one.text for one in ask(server, "a", "slow", "b")] == [WHY, "", WHY]
    assert time.monotonic() - began < 100  # of the 300 that each would take
    assert "no whole answer within 0.7 seconds; AMENDS_REQUEST_SECONDS gives it more" in caplog.text


@pytest.mark.parametrize("said", ["0", "-1", "soon", "nan", "inf"])
def test_a_time_limit_that_is_none_is_explained(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("AMENDS_REQUEST_SECONDS", said)
    with pytest.raises(InputError, match=f"AMENDS_REQUEST_SECONDS={said}: give the seconds"):
        EndpointModel("m", "http://h/v1")


def test_an_address_without_its_version_is_mended_and_said(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda *_: (200, WHY))
    server.serves = "/v1/"
    root = server.url.removesuffix("/v1")
    model = EndpointModel("m", root)
    assert [one.text for one in model.generate(prompts("a", "b"), Sampling(), 0)] == [WHY, WHY]
    assert server.paths == ["/chat/completions", *["/v1/chat/completions"] * 2]
    assert f"{root}: nothing answers there; {root}/v1 does" in caplog.text


def test_an_address_where_nothing_answers_is_said_whole(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, WHY))
    server.serves = "/other/"
    root = server.url.removesuffix("/v1")
    for url in (root, server.url):
        with pytest.raises(ModelError, match=rf"{url}: model 'm' does not answer .*; {url}/chat/completions was asked"):
            ask_at = EndpointModel("m", url)
            ask_at.generate(prompts("a"), Sampling(), 0)


def test_login_and_query_are_sent_and_never_said(
    serve: Callable[..., Server], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    server = serve(lambda *_: (401, f"{server.paths[-1]} with {server.keys[-1]} is not let in; secret-word"))
    url = server.url.replace("//", "//me:secret-word@") + "?api-key=secret-key"
    with pytest.raises(ModelError, match=r"is not let in; \[key\]") as error:
        load_model(f"endpoint:m@{url}").generate(prompts("a"), Sampling(), 0)
    assert server.paths == ["/v1/chat/completions?api-key=secret-key"]
    assert server.keys == ["Basic bWU6c2VjcmV0LXdvcmQ="]
    assert not any(word in f"{error.value}{caplog.text}" for word in ("secret", "bWU6"))


def test_seeds_do_not_depend_on_how_many_requests_are_in_flight(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    from amends.stages.chunks import CHUNK_ROWS, chunk_rows_for

    seeds = []
    for number in ("1", "7"):
        monkeypatch.setenv("AMENDS_REQUESTS", number)
        server = serve(lambda *_: (200, WHY))
        model = EndpointModel("m", server.url)
        model.generate(prompts(*(f"{row}?" for row in range(12))), Sampling(temperature=0.7), 5)
        seeds.append({request["messages"][0]["content"]: request["seed"] for request in server.requests})
        assert chunk_rows_for(model) == CHUNK_ROWS
    assert seeds[0] == seeds[1]
