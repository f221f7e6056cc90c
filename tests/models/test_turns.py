"""Rows that are asked until an answer is taken: in one batch, beside one another, with the same answers as alone."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.turns import Turn, Turns
from amends.records import Message
from local_server import Server
from tiny import tiny_model

ROWS, ATTEMPTS = 6, 5
SAMPLING = Sampling(max_new_tokens=8, temperature=1.0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> LocalModel:
    """In float32: rounding would hang on what is computed together."""
    loaded = LocalModel(str(tiny_model(tmp_path_factory.mktemp("tiny"))))
    loaded.model.float()
    return loaded


def prompt(turn: Turn) -> Prompt:
    """Guides of two lengths in turn, one with a system turn."""
    asked = Message(role="user", content=f"Question {turn.row}? " + "Why not? " * (turn.attempt % 2 * 20))
    return Prompt((Message(role="system", content="Be brief."), asked) if turn.attempt % 3 == 2 else (asked,))


class Taken:
    """Takes the answer of a row at the attempt that is its number, and remembers what it was given."""

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows, self.given = rows, dict[tuple[int, int], str]()
        self.sizes: list[int] = []

    def __call__(self, answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
        self.sizes.append(len(answered))
        for turn, made in answered:
            row = self.rows[turn.row]
            assert turn.attempt == sum(one == row for one, _ in self.given), "each row's in turn"
            self.given[row, turn.attempt] = made.text
        return [turn.attempt >= self.rows[turn.row] for turn, _ in answered]


def taken_of(model: Model, rows: Sequence[int] = range(ROWS), attempts: int = ATTEMPTS) -> Taken:
    taken = Taken(rows)
    asked = lambda turn: prompt(Turn(rows[turn.row], turn.attempt))  # noqa: E731
    model.generate_until_taken(Turns(len(rows), attempts, asked, taken), SAMPLING, 3)
    return taken


EXPECTED = {(row, attempt) for row in range(ROWS) for attempt in range(min(row + 1, ATTEMPTS))}


def test_each_row_is_asked_in_turn_until_an_answer_is_taken(tiny: LocalModel) -> None:
    given = taken_of(tiny).given
    assert given.keys() == EXPECTED
    assert len(set(given.values())) > len(given) // 2, "it answers, and differently"


def test_what_is_begun_before_it_is_needed_changes_no_answer(tiny: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what is in the batch beside it: each attempt has random numbers of its own."""
    given = {}
    for cheap, slots in ((1, 64), (64, 64), (64, 2)):
        monkeypatch.setattr("amends.models.decoding.attempts.CHEAP_ROWS", {"cpu": cheap})
        monkeypatch.setattr("amends.models.decoding.attempts.slots_for", lambda *_, slots=slots: slots)
        given[cheap, slots] = taken_of(tiny).given
    first, *others = given.values()
    assert all(one == first for one in others)


def test_a_row_without_room_is_given_as_such_and_stops_none(tiny: LocalModel) -> None:
    long = Prompt((Message(role="user", content="word " * 3_000),))
    found: list[tuple[Turn, Generation]] = []

    def take(answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
        found.extend(answered)
        return [turn.attempt == 1 for turn, _ in answered]

    tiny.generate_until_taken(Turns(2, 2, lambda turn: long if turn.row else prompt(turn), take), SAMPLING, 3)
    assert {turn: made.had_no_room for turn, made in found} == {
        (0, 0): False,
        (0, 1): False,
        (1, 0): True,
        (1, 1): True,
    }


def test_a_server_is_asked_again_while_other_rows_are_at_their_first(serve: Callable[..., Server]) -> None:
    """The slow row's first answer comes when the quick row was asked three times."""
    quick = threading.Event()

    def answer(question: str, _: dict[str, Any]) -> tuple[int, str]:
        if question == "Question 0 at 2":
            quick.set()
        if question == "Question 1 at 0":
            assert quick.wait(20)
        return 200, question

    model = EndpointModel("m", serve(answer).url)
    model.reach()
    order: list[Turn] = []

    def take(answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
        order.extend(turn for turn, _ in answered)
        return [turn.attempt == 2 or turn.row == 1 for turn, _ in answered]

    asked = lambda turn: Prompt((Message(role="user", content=f"Question {turn.row} at {turn.attempt}"),))  # noqa: E731
    model.generate_until_taken(Turns(2, 4, asked, take), SAMPLING, 0)
    assert order[:2] == [(0, 0), (0, 1)] and sorted(order[2:]) == [(0, 2), (1, 0)]


def test_what_a_server_is_told_does_not_hang_on_what_is_beside_it(serve: Callable[..., Server]) -> None:
    server = serve(lambda question, _: (200, question))
    taken_of(EndpointModel("m", server.url))
    seeds = sorted(request["seed"] for request in server.requests)
    assert len(set(seeds)) == len(EXPECTED) == len(seeds)
    again = serve(lambda question, _: (200, question))
    taken_of(EndpointModel("m", f"{again.url}#requests=1"))
    assert sorted(request["seed"] for request in again.requests) == seeds
