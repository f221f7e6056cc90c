"""First words of an answer, by a server: whether it goes on with them is asked once, and elsewhere they are refused."""

from collections.abc import Callable
from typing import Any

import pytest

from amends.errors import InputError, ModelError
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.prompts import english
from amends.prompts.fitting import check_guides
from amends.records import Message
from local_server import Server

BEGUN = Prompt((Message(role="user", content="Why?"),), prefill="It is harmful because")


def answer(question: str, _: dict[str, Any]) -> tuple[int, str]:
    return 200, "it hurts." if question.startswith("It is") else "Hello."


def test_an_answer_is_gone_on_with_and_its_server_asked_once_whether_it_does(serve: Callable[..., Server]) -> None:
    server = serve(answer)
    model = EndpointModel("m", server.url)
    for _ in range(2):
        assert [one.text for one in model.generate([BEGUN] * 3, Sampling(), 0)] == ["it hurts."] * 3
    assert len(server.requests) == 2 + 6
    last = server.requests[-1]
    assert last["messages"][-1] == {"role": "assistant", "content": "It is harmful because"}
    assert (last["continue_final_message"], last["add_generation_prompt"]) == (True, False)


def test_a_prompt_without_them_is_sent_without_a_word_of_it(serve: Callable[..., Server]) -> None:
    server = serve(answer)
    EndpointModel("m", server.url).generate([Prompt(BEGUN.messages)], Sampling(), 0)
    assert [len(request["messages"]) for request in server.requests] == [1]
    assert "continue_final_message" not in server.requests[0]


def refuses(_: str, body: dict[str, Any]) -> tuple[int, str]:
    unknown = "continue_final_message" in body
    return (400, "Unknown parameter: 'continue_final_message'.") if unknown else (200, "Hello.")


@pytest.mark.parametrize(
    ("server_answers", "usage", "why"),
    [
        (answer, {"completion_tokens": 1}, "it begins a new turn behind them: of one word it reads 5 tokens more"),
        (answer, None, "it does not say how many tokens it reads"),
        (refuses, {"completion_tokens": 1}, "it refuses them: .*Unknown parameter"),
    ],
)
def test_a_server_that_does_not_go_on_is_refused_before_anything_is_asked(
    serve: Callable[..., Server], server_answers: Any, usage: Any, why: str
) -> None:
    server = serve(server_answers)
    server.continues, server.usage = False, usage
    model = EndpointModel("m", server.url)
    for _ in range(2):
        with pytest.raises(ModelError, match=f"does not go on with the first words .*{why}.*; choose a guide without"):
            model.generate([BEGUN], Sampling(), 0)
    assert {request["messages"][0]["content"] for request in server.requests} == {"Hello."}


def test_guides_with_a_prefill_are_taken_where_the_server_takes_them(serve: Callable[..., Server]) -> None:
    server = serve(answer)
    guides = english().guides("analyze", ["told-suffix-prefill", "told-suffix"])
    check_guides({"analyze.guides": (guides, EndpointModel("m", server.url))})
    server.continues = False
    with pytest.raises(InputError, match=r"analyze.guides: guide 'told-suffix-prefill': .*\(of these told-suffix\)"):
        check_guides({"analyze.guides": (guides, EndpointModel("m", server.url))})
