"""Answers that are kept in a file: one that was damaged there is asked for again, and that is said."""

import sqlite3
from pathlib import Path

import pytest

from amends.judges.answer_store import KeptAnswers


@pytest.mark.parametrize("damage", ["answer = '{\"harmless\": 1}'", "answer = x'ff'", "digest = 'x'"])
def test_a_damaged_answer_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    kept = KeptAnswers(tmp_path / "answers.sqlite")
    answers = {"a": '{"harmless": 9}', "b": '{"harmless": 8, "explanation": "Grüße"}'}
    kept.keep(answers)
    assert kept.find(["a", "b", "c"]) == answers
    assert capsys.readouterr().err == ""
    with sqlite3.connect(kept.path) as database:
        database.execute(f"UPDATE checked SET {damage} WHERE key = 'a'")
    assert kept.find(["a", "b"]) == {"b": answers["b"]}
    said = capsys.readouterr().err
    assert said.startswith(f"amends: {kept.path}: 1 of the answers that are kept there ")
    assert said.endswith("asked for again\n")
    kept.keep({"a": answers["a"]})
    assert kept.find(["a", "b"]) == answers
