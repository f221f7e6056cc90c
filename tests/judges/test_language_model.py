"""The language model that judges, against a real server: what it asks, reads and keeps, and says when it fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amends.errors import InputError, ModelError, StoreError
from amends.evaluation.judge import judge
from amends.judges.language_model import LanguageModelJudge, Rating
from amends.judges.load import load_judge
from amends.judges.probe import ProbeJudge
from amends.models.endpoint.model import EndpointModel
from amends.models.scripted import ScriptedModel
from amends.records import Conversation, Response
from conversations import LOCK, LOCK_TEXT
from local_server import Server

GOOD = '{"explanation": "It hurts nobody.", "harmless": 9, "helpful": 7}'


def by_words(question: str, request: dict[str, Any]) -> tuple[int, str]:
    if "poison" in question:
        return 200, '{"explanation": "It kills.", "harmless": 1, "helpful": 2}'
    return 200, "I would rather not say." if "unclear" in question else GOOD


PAIRS = [("Feed my dog?", "Give it meat."), ("Quiet my dog?", "Use poison."), ("What?", "unclear"), ("What?", " ")]


def test_ratings_become_scores_and_what_cannot_be_read_stays_unscored(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(by_words)
    rater = LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "cache.sqlite")
    assert rater.score(PAIRS) == [round(8 / 9, 6), 0.0, None, None]
    assert len(server.requests) == 3, "an empty response is not asked about"
    asked = server.requests[0]
    assert asked["model"] == "m"
    assert asked["temperature"] == 0
    assert list(asked["response_format"]["json_schema"]["schema"]["properties"]) == [
        "explanation",
        "harmless",
        "helpful",
    ]
    rows = [Response(id=str(place), prompt=prompt, response=text) for place, (prompt, text) in enumerate(PAIRS)]
    verdicts = list(judge(rows, rater))
    assert [row.verdict for row in verdicts] == ["harmless", "harmful", "unscored", "unscored"]
    assert [row.helpful for row in verdicts] == [7, 2, None, None]


def test_the_stage_asks_once_for_both_ratings_even_where_none_can_be_read(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server = serve(by_words)
    rater = LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "cache.sqlite")
    rows = [Response(id=str(place), prompt=prompt, response=text) for place, (prompt, text) in enumerate(PAIRS)]
    list(judge(rows, rater))
    assert len(server.requests) == 3


def test_a_rating_is_asked_for_once(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not again after an update of amends: it is paid for."""
    server = serve(by_words)
    cache = tmp_path / "cache.sqlite"
    LanguageModelJudge(EndpointModel("m", server.url, Rating), cache).rate(PAIRS[:1])
    monkeypatch.setattr("amends.__version__", "9.9.9")
    for _ in range(2):
        again = LanguageModelJudge(EndpointModel("m", server.url, Rating), cache)
        assert [one.harmless if one else None for one in again.rate(PAIRS[:2])] == [9, 1]
    assert len(server.requests) == 2, "each pair is asked about once"


def test_a_conversation_is_shown_as_a_transcript(tmp_path: Path) -> None:
    asked: list[str] = []
    model = ScriptedModel("m", lambda prompt, seed: asked.append(prompt.messages[0].content) or GOOD)
    LanguageModelJudge(model, tmp_path / "c.sqlite").rate([(Conversation.model_validate(LOCK), "Ask them.")])
    assert f"Instruction: {LOCK_TEXT}\n\nResponse: Ask them." in asked[0]


def test_half_a_surrogate_pair_in_an_explanation_is_kept(tmp_path: Path) -> None:
    answer = '{"explanation": "a cut emoji: \\ud83d", "harmless": 9, "helpful": 5}'
    asked: list[str] = []
    model = ScriptedModel("m", lambda prompt, seed: asked.append(prompt.messages[0].content) or answer)
    for _ in range(2):
        assert LanguageModelJudge(model, tmp_path / "c.sqlite").score(PAIRS[:1]) == [round(8 / 9, 6)]
    assert len(asked) == 1, "and read again"


def test_answers_that_cannot_be_kept_say_what_to_do(serve: Callable[..., Server], tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    cache.write_text("It is a text, and no database at all." * 100)
    with pytest.raises(StoreError, match=r"cache\.sqlite: .*file is not a database.*delete it: .* is then asked again"):
        LanguageModelJudge(EndpointModel("m", serve(by_words).url, Rating), cache).rate(PAIRS[:1])


def test_a_server_without_structured_output_is_asked_in_words(serve: Callable[..., Server], tmp_path: Path) -> None:
    def refuses_schemas(question: str, request: dict[str, Any]) -> tuple[int, str]:
        return (
            (400, "response_format is not supported") if "response_format" in request else (200, f"Sure:\n```{GOOD}```")
        )

    judge = LanguageModelJudge(EndpointModel("m", serve(refuses_schemas).url, Rating), tmp_path / "c.sqlite")
    assert judge.score(PAIRS[:1]) == [round(8 / 9, 6)]


def test_a_server_that_is_busy_is_asked_again(serve: Callable[..., Server], tmp_path: Path) -> None:
    answers = iter([(429, "slow down"), (200, GOOD)])
    server = serve(lambda *_: next(answers))
    assert LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "c.sqlite").score(PAIRS[:1]) == [
        round(8 / 9, 6)
    ]
    assert len(server.requests) == 2


def test_what_was_answered_before_a_failure_is_kept(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENDS_REQUESTS", "1")
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 0.2)
    server = serve(lambda *_: (500, "broken") if len(server.requests) > 4 else (200, GOOD))
    judge = LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "c.sqlite")
    pairs = [(f"Question {place}?", "So.") for place in range(8)]
    with pytest.raises(ModelError, match=r"What it had answered before these .* is kept"):
        judge.rate(pairs)
    server.requests.clear()
    judge.rate(pairs[:4])
    assert not server.requests


def test_a_server_that_does_not_answer_is_one_clear_error(tmp_path: Path) -> None:
    judge = LanguageModelJudge(EndpointModel("m", "http://127.0.0.1:9/v1", Rating), tmp_path / "c.sqlite")
    with pytest.raises(ModelError, match=r"127\.0\.0\.1:9/v1: model 'm' does not answer .*is the server running"):
        judge.score(PAIRS[:1])
    assert not (tmp_path / "c.sqlite").exists()


def test_the_key_goes_to_the_server_and_nowhere_else(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key-1")
    server = serve(by_words)
    judge = LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "c.sqlite")
    judge.score(PAIRS[:2])
    assert server.keys == ["Bearer secret-key-1"] * 2
    assert "secret-key-1" not in (tmp_path / "c.sqlite").read_bytes().decode(
        "latin-1"
    ) + judge.fingerprint + json.dumps(judge.facts)


def test_a_server_that_repeats_the_key_in_its_error_does_not_bring_it_to_the_terminal(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "secret-key-" + "1" * 300
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server = serve(lambda *_: (401, f"Bearer {key} is no key; {key} ends with 1"))
    judge = LanguageModelJudge(EndpointModel("m", server.url, Rating), tmp_path / "c.sqlite")
    with pytest.raises(ModelError, match=r"Bearer \[key\] is no key; \[key\] ends with 1") as caught:
        judge.rate(PAIRS[:1])
    assert "secret" not in str(caught.value)


def test_a_local_model_judges_too(tmp_path: Path) -> None:
    judge = LanguageModelJudge(ScriptedModel("m", lambda prompt, seed: GOOD), tmp_path / "c.sqlite")
    assert judge.score(PAIRS[:1]) == [round(8 / 9, 6)]


def test_a_model_on_a_gpu_is_asked_as_much_at_once_as_fills_it(tmp_path: Path) -> None:
    pairs = [("May I?", f"Yes, {number} times.") for number in range(150)]
    for capacity, calls in ((None, 3), (100, 2), (4_096, 1)):
        model = ScriptedModel("m", lambda prompt, seed: GOOD)
        model.capacity = capacity
        LanguageModelJudge(model, tmp_path / f"{capacity}.jsonl").score(pairs)
        assert model.calls == calls


def test_judges_by_name() -> None:
    assert isinstance(load_judge("probe"), ProbeJudge)
    found = load_judge("endpoint:org/judge@http://localhost:8000/v1")
    assert isinstance(found, LanguageModelJudge)
    assert (found.model.name, found.name) == ("org/judge", "language model/org/judge")
    assert load_judge("local:embedded").name == "language model/embedded"
    for wrong in ("endpoint:judge", "endpoint:judge@localhost", "endpoint:@http://x/v1"):
        with pytest.raises(InputError, match="write it as endpoint:MODEL@URL"):
            load_judge(wrong)
    with pytest.raises(InputError, match="unknown judge"):
        load_judge("other")
