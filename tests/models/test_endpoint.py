"""A model behind an endpoint as generator: what it is asked, and what it cannot be asked."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from answers import ANALYSIS

from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import InputError, ModelError
from amends.judges.base import Judge
from amends.judges.language_model import Rating
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.asking import REASONING_TOKENS
from amends.models.endpoint.model import EndpointModel
from amends.models.load import load_model
from amends.pipeline.steps import Steps
from amends.records import Analysis, Message, Mistake
from amends.stages.analyze import AnalyzeSettings
from local_server import Server

RATING = '{"explanation": "It is.", "harmless": 9, "helpful": 5}'


class Content(Judge):
    """A gate that is content with any analysis."""

    name = "content"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.9 for _ in pairs]


def test_another_model_behind_an_endpoint_writes_the_analyses(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(lambda *_: (200, ANALYSIS))
    mistake = Mistake(id="a", prompt="How?", response="Use poison.", source="own", passed=True)
    (tmp_path / "mistakes.jsonl").write_text(mistake.model_dump_json() + "\n")
    out = tmp_path / "analyses.jsonl"
    rows = DataSettings(source=str(tmp_path / "mistakes.jsonl"))
    settings = AnalyzeSettings(guides=["told-suffix"], attempts=1)
    Steps().make("analyze", rows, out, load_model(f"endpoint:big@{server.url}"), Content(), settings)
    assert [row.analysis for row in read_rows(out, Analysis)] == [ANALYSIS]
    assert server.requests[0]["model"] == "big"
    assert "The response is harmful. Say why" in server.requests[0]["messages"][-1]["content"]
    assert "response_format" not in server.requests[0], "any text will do"


def test_equal_prompts_are_drawn_each_with_a_seed_of_its_own(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, ANALYSIS))
    prompt = Prompt((Message(role="user", content="Why?"),))
    EndpointModel("m", server.url).generate([prompt] * 3, Sampling(temperature=0.7, top_p=0.9), 5)
    assert len({request["seed"] for request in server.requests}) == 3
    assert {request["top_p"] for request in server.requests} == {0.9}


def test_a_prompt_that_is_too_long_costs_its_row_alone(serve: Callable[..., Server]) -> None:
    server = serve(lambda question, _: (400, "maximum context length is 8") if "long" in question else (200, ANALYSIS))
    prompts = [Prompt((Message(role="user", content=text),)) for text in ("too long", "short")]
    made = EndpointModel("m", server.url).generate(prompts, Sampling(), 0)
    assert [one.had_no_room for one in made] == [True, False]
    assert made[1].text == ANALYSIS
    assert [one.had_no_room for one in EndpointModel("m", server.url).generate(prompts[:1], Sampling(), 0)] == [True]


def test_more_tokens_than_the_model_has_room_for_are_an_error(serve: Callable[..., Server]) -> None:
    """They would make every row empty."""
    server = serve(lambda _, request: (400, "maximum context length") if request["max_tokens"] > 8 else (200, ANALYSIS))
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))] * 2
    with pytest.raises(ModelError, match="no room for 9 tokens after a short prompt; lower max_new_tokens"):
        model.generate(prompts, Sampling(max_new_tokens=9), 0)
    assert [one.text for one in model.generate(prompts, Sampling(max_new_tokens=8), 0)] == [ANALYSIS] * 2


def test_a_number_of_tokens_that_is_too_large_is_not_taken_for_a_limit_that_is_unknown(
    serve: Callable[..., Server],
) -> None:
    """As vLLM 0.32 says it; the first request in which 400 is the number and the code."""

    def answer(_: str, request: dict[str, Any]) -> tuple[int, str]:
        if request["max_tokens"] <= 8:
            return 200, ANALYSIS
        said = f"max_tokens={request['max_tokens']} cannot be greater than max_model_len=8. Please request fewer output"
        return 400, f"{said} tokens. (parameter=max_tokens, value={request['max_tokens']})"

    server, prompts = serve(answer), [Prompt((Message(role="user", content="Why?"),))]
    with pytest.raises(ModelError, match="no room for 400 tokens after a short prompt; lower max_new_tokens"):
        EndpointModel("m", server.url).generate(prompts, Sampling(max_new_tokens=400), 0)
    assert {request.get("max_tokens") for request in server.requests} == {400}
    model = EndpointModel("m", server.url)
    assert model.generate(prompts, Sampling(max_new_tokens=8), 0)[0].text == ANALYSIS


@pytest.mark.parametrize("said", ["max_tokens={0} cannot be greater than max_model_len=100.", "maximum context length"])
def test_where_there_is_no_room_for_reasoning_the_answer_alone_has_it(serve: Callable[..., Server], said: str) -> None:
    def answer(_: str, request: dict[str, Any]) -> tuple[int, str]:
        number = request["max_tokens"]
        return (400, said.format(number)) if number > 100 else (200, "<think>So.</think>No." if number == 50 else "")

    server, prompts = serve(answer), [Prompt((Message(role="user", content="Why?"),))]
    server.finish_reason = "length"
    model = EndpointModel("m", server.url)
    assert [one.text for one in model.generate(prompts, Sampling(max_new_tokens=50), 0)] == ["No."]
    assert [request["max_tokens"] for request in server.requests] == [50, 50 + REASONING_TOKENS, 50]


def test_what_a_server_refuses_is_left_out_from_then_on(serve: Callable[..., Server]) -> None:
    """As hosted models that reason do: another limit of tokens, and no temperature but their own."""
    refused = ["max_tokens", "temperature", "seed"]

    def answer(_: str, request: dict[str, Any]) -> tuple[int, str]:
        named = [key for key in refused if key in request]
        return (
            (400, f"Unsupported parameter: '{named[0]}' is not supported with this model.")
            if named
            else (200, ANALYSIS)
        )

    server = serve(answer)
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))]
    assert [one.text for one in model.generate(prompts, Sampling(max_new_tokens=9), 0)] == [ANALYSIS]
    assert len(server.requests) == 4
    assert server.requests[0]["max_tokens"] == 9 and "max_completion_tokens" not in server.requests[0]
    assert server.requests[-1]["max_completion_tokens"] == 9 + REASONING_TOKENS
    assert server.requests[-1].keys() == {"model", "messages", "max_completion_tokens", "top_p"}
    model.generate(prompts * 3, Sampling(max_new_tokens=9), 0)
    assert len(server.requests) == 7, "it is remembered"


def test_of_two_that_go_not_together_the_temperature_stays(serve: Callable[..., Server]) -> None:
    said = "`temperature` and `top_p` cannot both be specified for this model."
    server = serve(lambda _, request: (400, said) if {"temperature", "top_p"} <= request.keys() else (200, ANALYSIS))
    prompt = Prompt((Message(role="user", content="Why?"),))
    EndpointModel("m", server.url).generate([prompt], Sampling(temperature=0.7, top_p=0.9), 0)
    assert server.requests[-1]["temperature"] == 0.7 and "top_p" not in server.requests[-1]


def test_a_prompt_that_a_filter_stops_costs_its_row_alone(serve: Callable[..., Server]) -> None:
    said = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
    server = serve(lambda question, _: (400, said) if "bad" in question else (200, RATING))
    prompts = [Prompt((Message(role="user", content=text),)) for text in ("bad", "good")]
    made = EndpointModel("m", server.url, Rating).generate(prompts, Sampling(), 0)
    assert [(one.text, one.had_no_room) for one in made] == [("", False), (RATING, False)]
    assert all("response_format" in request for request in server.requests), "it was not the form"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": "Invalid prompt: your prompt was limited.", "code": "invalid_prompt"}),
        (403, {"message": "Your input was flagged for violence.", "code": 403}),
    ],
)
def test_other_filters_cost_a_row_alone_too(serve: Callable[..., Server], status: int, body: dict[str, Any]) -> None:
    server = serve(lambda *_: (status, body))
    (made,) = EndpointModel("m", server.url, Rating).generate(
        [Prompt((Message(role="user", content="a"),))], Sampling(), 0
    )
    assert (made.text, made.had_no_room, len(server.requests)) == ("", False, 1)


def test_a_model_that_spends_its_tokens_on_reasoning_is_given_more(serve: Callable[..., Server]) -> None:
    server = serve(lambda _, request: (200, ANALYSIS if request["max_tokens"] > 300 else ""))
    server.finish_reason = "length"
    model, prompts = EndpointModel("m", server.url), [Prompt((Message(role="user", content="Why?"),))]
    assert model.generate(prompts, Sampling(max_new_tokens=300), 0)[0].text == ANALYSIS
    model.generate(prompts, Sampling(max_new_tokens=300), 0)
    assert [one["max_tokens"] for one in server.requests] == [300, 300 + REASONING_TOKENS, 300 + REASONING_TOKENS]
    together = EndpointModel("m", server.url).generate(prompts * 32, Sampling(max_new_tokens=300), 0)
    assert {one.text for one in together} == {ANALYSIS}, "whoever finds out first"


def test_an_answer_that_a_filter_cut_is_no_reasoning(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, ""))
    server.finish_reason = "content_filter"
    EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="Why?"),))], Sampling(), 0)
    assert len(server.requests) == 1


def test_the_words_of_a_question_that_a_server_repeats_are_not_its_own(serve: Callable[..., Server]) -> None:
    question = "In this context, why was the input was flagged?"

    def answer(_: str, request: dict[str, Any]) -> tuple[int, str]:
        refused = "response_format" in request
        return (400, f"body: {question!r}: response_format is unknown") if refused else (200, RATING)

    server = serve(answer)
    prompt = Prompt((Message(role="user", content=question),))
    (made,) = EndpointModel("m", server.url, Rating).generate([prompt], Sampling(), 0)
    assert made.text == RATING


def test_a_server_that_lets_nobody_in_is_an_error(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (403, "no access in this context"))
    with pytest.raises(ModelError, match="no access"):
        EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="a"),))], Sampling(), 0)


@pytest.mark.parametrize(("usage", "tokens"), [(None, 1), ({"total_tokens": 3}, 1), ({"completion_tokens": 0}, 0)])
def test_a_server_that_counts_no_tokens_has_answered(
    serve: Callable[..., Server], usage: dict[str, int] | None, tokens: int
) -> None:
    server = serve(lambda *_: (200, "Because."))
    server.usage = usage
    (made,) = EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="Why?"),))], Sampling(), 0)
    assert (made.text, made.tokens) == ("Because.", tokens)


def test_one_leaves_without_waiting_for_a_server(serve: Callable[..., Server]) -> None:
    """As Ctrl-C does, while another request is not answered."""
    hold = threading.Event()
    server = serve(lambda question, _: (200, "b") if hold.wait(30 if question == "slow" else 0) else (200, "a"))

    def leave(*_: int) -> None:
        raise KeyboardInterrupt

    prompts = [Prompt((Message(role="user", content=text),)) for text in ("quick", "slow")]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        EndpointModel("m", server.url).generate(prompts, Sampling(), 0, leave)
    assert time.monotonic() - began < 20
    hold.set()


def test_a_base_address_may_end_in_a_slash() -> None:
    one, other = (load_model(f"endpoint:m@http://h/v1{end}") for end in ("", "/"))
    assert one.fingerprint == other.fingerprint


def test_an_answer_without_choices_is_an_error(serve: Callable[..., Server]) -> None:
    server = serve(lambda *_: (200, None))
    with pytest.raises(ModelError, match=r"does not answer .it sent no answer"):
        EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="Why?"),))], Sampling(), 0)


def test_as_many_requests_are_in_flight_as_one_asks_for(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Barrier(24)

    def answer(*_: Any) -> tuple[int, str]:
        if len(server.requests) > 1:  # the first goes alone, to see whether the server answers
            waiting.wait(timeout=20)
        return 200, ANALYSIS

    server = serve(answer)
    monkeypatch.setenv("AMENDS_REQUESTS", "24")
    model = EndpointModel("m", server.url)
    made = model.generate([Prompt((Message(role="user", content="Why?"),))] * 25, Sampling(), 0)
    assert {one.text for one in made} == {ANALYSIS}
    monkeypatch.setenv("AMENDS_REQUESTS", "many")
    with pytest.raises(InputError, match="AMENDS_REQUESTS=many: give the number of requests"):
        EndpointModel("m", "http://h/v1")


def test_an_empty_answer_is_no_lack_of_room(serve: Callable[..., Server]) -> None:
    """As of a model that spent its tokens on reasoning, behind a server that does not count them."""
    server = serve(lambda *_: (200, ""))
    server.finish_reason, server.usage = "length", None
    made = EndpointModel("m", server.url).generate([Prompt((Message(role="user", content="Why?"),))], Sampling(), 0)
    assert [(one.text, one.finished, one.had_no_room) for one in made] == [("", False, False)]


def test_half_a_surrogate_pair_in_an_answer_is_replaced(serve: Callable[..., Server]) -> None:
    """It cannot be written, and would stop a stage each time it is resumed."""
    server = serve(lambda *_: (200, "so \ud83d it was \U0001f600"))
    prompt = Prompt((Message(role="user", content="Why?"),))
    (made,) = EndpointModel("m", server.url).generate([prompt], Sampling(), 0)
    assert made.text == "so ? it was \U0001f600"
