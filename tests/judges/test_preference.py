"""A judge that compares two responses in both orders, against a real local server, and its command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amends.judges.preference import Choice, PreferenceJudge
from amends.models.endpoint.model import EndpointModel
from conftest import run_amends
from local_server import Server


def choice(better: str) -> tuple[int, str]:
    return 200, json.dumps({"explanation": "Because.", "better": better})


def safest(question: str, request: dict[str, Any]) -> tuple[int, str]:
    """Prefers what is kind to what is not; says nothing useful of what is odd."""
    first, second = question.partition("First response: ")[2].split("Second response: ")
    second = second.partition("\n\n")[0]
    if "odd" in question:
        return 200, "Hm."
    if ("kind" in first) == ("kind" in second):
        return choice("equal")
    return choice("first" if "kind" in first else "second")


def always_first(question: str, request: dict[str, Any]) -> tuple[int, str]:
    return choice("first")


ROWS = [("q", "kind", "rude"), ("q", "rude", "kind"), ("q", "kind", "so kind"), ("q", "kind", "odd"), ("q", "", "kind")]


def judge_at(server: Server, directory: Path) -> PreferenceJudge:
    return PreferenceJudge(EndpointModel("m", server.url, Choice), directory / "cache.jsonl")


def test_what_both_orders_say_counts(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(safest)
    assert judge_at(server, tmp_path).prefer(ROWS) == ["a", "b", "tie", "unscored", "unscored"]
    assert len(server.requests) == 6, "both orders; equal questions once; an empty response is not asked about"
    schema = server.requests[0]["response_format"]["json_schema"]
    assert (schema["name"], list(schema["schema"]["properties"])) == ("choice", ["explanation", "better"])


def test_a_judge_that_favours_a_place_prefers_nothing(serve: Callable[..., Server], tmp_path: Path) -> None:
    assert set(judge_at(serve(always_first), tmp_path).prefer(ROWS[:4])) == {"tie"}


def test_a_choice_is_asked_for_once(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(safest)
    judge_at(server, tmp_path).prefer(ROWS[:3])
    assert judge_at(server, tmp_path).prefer(ROWS[:3]) == ["a", "b", "tie"]
    assert len(server.requests) == 4, "the second row is the first in the other order"


def test_the_command_counts_wins_ties_and_losses(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMENDS_CACHE", str(tmp_path / "cache"))
    for name, texts in (("a", ["kind", "kind", "rude", "odd"]), ("b", ["rude", "kind", "kind", "kind", "unpaired"])):
        rows = [{"id": str(n), "prompt": f"q{n}", "response": text} for n, text in enumerate(texts)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    command = ["prefer", *files, "--judge", f"endpoint:m@{serve(safest).url}", "--out", str(tmp_path / "out.jsonl")]
    assert run_amends(*command, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"win": 1, "tie": 1, "lose": 1, "unscored": 1, "unpaired": 1, "p_value": 1.0}
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["preferred"] for row in rows] == ["a", "tie", "b", "unscored"]
    assert run_amends(*command) == 0
    printed = capsys.readouterr().out
    assert "1 wins of" in printed
    assert "1 unscored, 1 not compared, p 1.000 (sign test)" in printed
    limited = [*command[:-1], str(tmp_path / "limited.jsonl"), "--limit", "2", "--json"]
    assert run_amends(*limited) == 0
    assert json.loads(capsys.readouterr().out)["unpaired"] == 1, "a limit unpairs nothing"


def test_the_test_counts_prompts_and_not_their_draws(
    serve: Callable[..., Server], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve answers to two prompts are two prompts: as twelve, they would be clear (p < .001)."""
    monkeypatch.setenv("AMENDS_CACHE", str(tmp_path / "cache"))
    for name, text in (("a", "kind"), ("b", "rude")):
        rows = [
            {"id": str(n), "prompt": f"q{n}", "response": text, "draw": draw} for draw in range(6) for n in range(2)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    command = ["prefer", *files, "--judge", f"endpoint:m@{serve(safest).url}", "--out", str(tmp_path / "out.jsonl")]
    assert run_amends(*command, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["win"], found["lose"], found["p_value"]) == (12, 0, 0.5)


def test_what_cannot_compare_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    row = json.dumps({"id": "1", "prompt": "q", "response": "r"}) + "\n"
    (tmp_path / "a.jsonl").write_text(row)
    (tmp_path / "b.jsonl").write_text(row.replace('"1"', '"2"'))
    files, out = [str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")], ["--out", str(tmp_path / "out.jsonl")]
    (tmp_path / "c.jsonl").write_text(row.replace('"q"', '"another"'))
    missing = str(tmp_path / "missing.jsonl")
    assert "no such file" in refused("prefer", files[0], missing, "--judge", "endpoint:m@http://localhost:9/v1", *out)
    message = refused("prefer", *files, "--judge", "probe", *out)
    assert message == "judge 'probe' cannot compare two responses; name endpoint:MODEL@URL or local:MODEL"
    message = refused("prefer", *files, "--judge", "endpoint:m@http://127.0.0.1:9/v1", *out)
    assert message == f"{files[0]} and {files[1]}: no id in both; compare responses to the same prompts"
    files[1] = str(tmp_path / "c.jsonl")
    message = refused("prefer", *files, "--judge", "endpoint:m@http://127.0.0.1:9/v1", *out)
    assert message == f"{files[0]} and {files[1]}: id '1' is of two prompts; compare responses to the same prompts"
