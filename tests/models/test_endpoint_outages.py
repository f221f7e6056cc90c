"""A server that is full, stays away or refuses: what is waited for, what costs a row, what ends a stage."""

import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from answers import ANALYSIS

from amends.errors import ModelError, OutageError
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.records import Message
from local_server import Server


@pytest.mark.parametrize(
    "away",
    [(503, "overloaded"), (429, "too many"), (200, None), (200, b"<html>Bad gateway</html>"), (200, b'{"choices": [')],
)
def test_a_server_that_has_answered_is_waited_for(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, away: Any
) -> None:
    """A restart, or an outage, costs no run of days."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    server = serve(lambda *_: away if 1 < len(server.requests) < 5 else (200, ANALYSIS))
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))]
    for _ in range(2):
        assert [one.text for one in model.generate(prompts, Sampling(), 0)] == [ANALYSIS]
    assert sum(request["messages"][0]["content"] == "Why?" for request in server.requests) <= 5
    assert [record.getMessage() for record in caplog.records if record.name.startswith("amends")] == [
        f"{server.url}: does not answer any more; asked again for 30 minutes"
    ]


def test_a_pause_between_requests_is_no_absence(serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of training can lie between a judge's first answer and the next."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    server = serve(lambda *_: (503, "loading") if len(server.requests) == 2 else (200, ANALYSIS))
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))]
    model.generate(prompts, Sampling(), 0)
    model._connection.answered = time.monotonic() - 10_000
    assert [one.text for one in model.generate(prompts, Sampling(), 0)] == [ANALYSIS]


def test_a_request_that_fails_alone_costs_its_row_alone(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not waited for, the last of a chunk neither: another time it would fail, too."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)

    def answer(question: str, _: dict[str, Any]) -> tuple[int, str]:
        if question != "bad":
            time.sleep(0.01)
            return 200, ANALYSIS
        time.sleep(0.05)
        return 500, "broken"

    server = serve(answer)
    prompts = [Prompt((Message(role="user", content=text),)) for text in ("good", "bad", *["good"] * 500, "bad")]
    made = EndpointModel("m", server.url).generate(prompts, Sampling(), 0)
    assert [(place, one.had_no_room) for place, one in enumerate(made) if not one.text] == [(1, False), (502, False)]
    assert sum(request["messages"][0]["content"] == "bad" for request in server.requests) <= 16, "eight each"
    assert re.search(r"gave no answer to 2 of \d+ requests .*broken.*; their rows go without", caplog.text)


def test_a_server_that_fails_at_most_requests_ends_the_stage(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of empty answers would not be what was asked for."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)

    def answer(question: str, _: dict[str, Any]) -> tuple[int, str]:
        time.sleep(0.01)
        return (500, "broken") if question.startswith("bad") else (200, ANALYSIS)

    texts = ["good", *["good", "bad", "bad", "bad"] * 40]
    prompts = [Prompt((Message(role="user", content=text),)) for text in texts]
    with pytest.raises(ModelError, match=r"gave no answer to \d+ of \d+ requests .*broken.*; look at its log"):
        EndpointModel("m", serve(answer).url).generate(prompts, Sampling(), 0)


@pytest.mark.parametrize("status", [400, 422, 401, 404, 500, 503])
def test_a_server_that_refuses_everything_from_then_on_ends_the_stage(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """An account runs dry, a server restarts otherwise: thousands of empty rows would read as refusals."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 0.2)
    server = serve(lambda *_: (status, "credit is low") if len(server.requests) > 5 else (200, ANALYSIS))
    prompts = [Prompt((Message(role="user", content=f"Why {row}?"),)) for row in range(12)]
    with pytest.raises(ModelError, match="credit is low"):
        EndpointModel("m", server.url).generate(prompts, Sampling(), 0)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_row_that_a_gateway_never_gets_through_costs_itself_alone(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Even where a resumed stage has nothing but that row left."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    server = serve(lambda question, _: (200, ANALYSIS) if question == "Hello." else (status, "timed out"))
    (made,) = EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="bad"),))], Sampling(), 0)
    assert (made.text, made.had_no_room) == ("", False)


def test_a_server_that_is_full_is_asked_until_it_answers(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A gateway answers 503 to what it has no room for, and to some requests many times."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 1_800)
    asked: Counter[str] = Counter()

    def answer(question: str, _: dict[str, Any]) -> tuple[int, str]:
        asked[question] += 1
        return (503, "overloaded") if int(question) % 5 == 0 and asked[question] < 6 else (200, ANALYSIS)

    prompts = [Prompt((Message(role="user", content=str(row)),)) for row in range(1, 201)]
    made = EndpointModel("m", serve(answer).url).generate(prompts, Sampling(), 0)
    assert {one.text for one in made} == {ANALYSIS}
    assert caplog.text.count("does not answer any more") == 1, "it is said once"


def test_one_that_stays_away_ends_a_run_that_can_be_repeated(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 0.2)
    server = serve(lambda *_: (500, "broken") if len(server.requests) > 1 else (200, ANALYSIS))
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))]
    model.generate(prompts, Sampling(), 0)
    with pytest.raises(
        OutageError, match=r"has answered, and does not any more .*broken.*it goes on from there"
    ) as error:
        model.generate(prompts * 3, Sampling(), 0)
    assert error.value.exit_code == 1, "another time it may work: the command was right"


def test_what_is_refused_whatever_the_text_is_an_error(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (400, "no such model"))
    with pytest.raises(ModelError, match=r"does not answer .*no such model"):
        EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="Why?"),))], Sampling(), 0)
    assert [request["messages"][0]["content"] for request in server.requests] == ["Why?", "Hello."]


@pytest.mark.parametrize(
    ("status", "said", "no_room"),
    [
        (400, "max_tokens must be at least 1, got -7584.", False),
        (422, "`inputs` tokens + `max_new_tokens` must be <= 4096.", False),
        (413, "Request Entity Too Large", True),
        (400, "the image in this message cannot be opened", False),
    ],
)
def test_a_prompt_that_is_refused_alone_costs_its_row_alone(
    serve: Callable[..., Server], status: int, said: str, no_room: bool
) -> None:
    """Of a million, one would end the stage each time that it is resumed; and what it was asked with stays."""
    server = serve(lambda question, _: (status, said) if "bad" in question else (200, ANALYSIS))
    texts = ["a bad one", "good", "good", "another bad one"]
    model = EndpointModel("m", server.url)
    for _ in range(2):
        made = model.generate([Prompt((Message(role="user", content=text),)) for text in texts], Sampling(), 0)
        assert [bool(one.text) for one in made] == [False, True, True, False]
        assert [one.had_no_room for one in made] == [no_room, False, False, no_room]
    answered = [request for request in server.requests if "bad" not in request["messages"][0]["content"]]
    assert all("max_tokens" in request for request in answered if request["messages"][0]["content"] == "good")


def test_an_odd_answer_does_not_lift_the_limit_for_those_behind_it(serve: Callable[..., Server]) -> None:
    """One answer of special tokens alone is no reasoning."""
    server = serve(lambda question, _: (200, "" if question == "odd" else ANALYSIS))
    server.finish_reason = "length"
    model = EndpointModel("m", server.url)
    for texts in (["a", "b", "c"], ["odd", "d"]):
        made = model.generate([Prompt((Message(role="user", content=text),)) for text in texts], Sampling(40), 0)
    assert [one.text for one in made] == ["", ANALYSIS]
    assert {request["max_tokens"] for request in server.requests} == {40}
