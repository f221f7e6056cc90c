"""A server that has other models than the one that it is asked for: refused where it answers by them all the same."""

from collections.abc import Callable
from typing import Any

import pytest

from amends.errors import ModelError
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.records import Message
from local_server import Server

PROMPT = Prompt((Message(role="user", content="Why?"),))


def any_name(_: str, body: dict[str, Any]) -> tuple[int, str]:
    """As llama.cpp's server, which does not look at the name."""
    return 200, "Because."


def own_names(_: str, body: dict[str, Any]) -> tuple[int, str]:
    """As a server that knows a deployment that it does not list."""
    return (200, "Because.") if body["model"] == "deployed" else (404, f"The model {body['model']} does not exist.")


def test_another_model_is_refused_before_anything_is_asked(serve: Callable[..., Server]) -> None:
    server = serve(any_name)
    server.models = ["qwen-7b", "qwen-14b"]
    for _ in range(2):
        with pytest.raises(
            ModelError, match=r"serves qwen-7b, qwen-14b, .* also to 'qwen7b'; .*did you mean 'qwen-7b'\?"
        ):
            EndpointModel("qwen7b", server.url).generate([PROMPT], Sampling(), 0)
    assert {request["messages"][0]["content"] for request in server.requests} == {"Hello."}


@pytest.mark.parametrize(("listed", "name"), [(["m", "n"], "m"), (["m:latest"], "m"), ([], "m")])
def test_a_model_that_is_listed_is_asked_at_once(serve: Callable[..., Server], listed: list[str], name: str) -> None:
    server = serve(any_name)
    server.models = listed
    assert EndpointModel(name, server.url).generate([PROMPT], Sampling(), 0)[0].text == "Because."
    assert len(server.requests) == 1


def test_a_name_that_is_known_and_not_listed_is_asked(serve: Callable[..., Server]) -> None:
    server = serve(own_names)
    server.models = ["gpt"]
    assert EndpointModel("deployed", server.url).generate([PROMPT], Sampling(), 0)[0].text == "Because."
    with pytest.raises(ModelError, match=r"does not answer .*The model deploid does not exist"):
        EndpointModel("deploid", server.url).generate([PROMPT], Sampling(), 0)


def test_a_port_without_chat_completions_is_one_line(serve: Callable[..., Server]) -> None:
    server = serve(any_name)
    server.serves = "/elsewhere"
    with pytest.raises(ModelError, match=r"does not answer .*Not Found; .*/chat/completions was asked.") as refused:
        EndpointModel("m", server.url).generate([PROMPT], Sampling(), 0)
    assert "\n" not in str(refused.value)
