"""A server of whose requests a fifth end otherwise than they should: each row has its own answer, and none is lost."""

import pytest
from benchmarks.answering_server import FAULTS, AnsweringServer

from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.records import Message

ROWS = 150


def test_each_row_has_its_own_answer_whatever_ends_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the half of an answer, nor another row's; a request that hangs is given up."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr("amends.models.endpoint.failures.PAUSE_SECONDS", 0.5)
    server, questions = AnsweringServer(0.01, faults=0.2), [f"Question {row}?" for row in range(ROWS)]
    model = EndpointModel("m", f"{server.url}#requests=32,request_seconds=0.7")
    made = model.generate([Prompt((Message(role="user", content=one),)) for one in questions], Sampling(), 0)
    model.release()
    server.close()
    assert [one.text for one in made] == questions
    assert server.failed.keys() >= set(FAULTS) - {"hang"}, "all of them happened"
