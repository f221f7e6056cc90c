"""Of which amends, command and machine a run says that it was made by them."""

import html
import json
import subprocess
import sys
from pathlib import Path

import pytest

from amends.cli.run import _whole
from amends.config.reading import load_configuration
from amends.pipeline.origin import origin
from amends.storage.run_directory import read_origin

REPOSITORY = Path(__file__).parents[2]


def test_the_command_is_said_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("/somewhere/bin/amends", "/somewhere/amends/__main__.py"):
        monkeypatch.setattr(sys, "argv", [program, "run", "own", "model=/a b"])
        assert origin()["command"] == "amends run own 'model=/a b'"
    monkeypatch.setattr(sys, "argv", ["/somewhere/train.py", "--token", "secret"])
    assert origin()["command"] == "from Python", "what another program was told is none of ours"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("judge=endpoint:m@http://me:word@h:1/v1", "judge=endpoint:m@http://h:1/v1"),
        ("endpoint:m@HTTPS://wo@rd@h/v1?key=word#seed=false", "endpoint:m@HTTPS://h/v1#seed=false"),
        ("variants={a: {judge: endpoint:m@http://me:word@h/v1?k=word, seed: 1}}", "http://h/v1 seed: 1}}"),
        ("model=/a@b?c", "model=/a@b?c"),
    ],
)
def test_a_password_is_no_part_of_it(monkeypatch: pytest.MonkeyPatch, typed: str, kept: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/amends", "run", "own", typed])
    command = origin()["command"]
    assert "word" not in command
    assert kept in command


def test_nor_of_the_command_that_a_try_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.pipeline.planning.whole_seconds", lambda *_: None)
    judge = "judge=endpoint:m@http://me:word@h/v1"
    said = _whole(load_configuration("quickstart"), Path("quickstart"), [judge], Path("runs/quickstart"))
    assert "judge=endpoint:m@http://h/v1" in said
    assert "word" not in said


def test_the_commit_and_the_machine_are_known() -> None:
    found = origin()
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True)
    assert found.get("commit", "").rstrip("+") == (git.stdout.strip() if git.returncode == 0 else "")
    assert "GiB" in found["machine"] and found["python"].startswith("3.")


def test_a_run_directory_says_its_origin_and_one_of_before_says_none(tmp_path: Path) -> None:
    assert read_origin(tmp_path) == {}
    (tmp_path / "run.json").write_text(json.dumps({"configuration": {}}))
    assert read_origin(tmp_path) == {}
    (tmp_path / "run.json").write_text(json.dumps({"configuration": {}, "origin": {"command": "amends run own"}}))
    assert read_origin(tmp_path) == {"command": "amends run own"}


def test_a_run_and_its_report_say_it(finished_run: Path) -> None:
    command = read_origin(finished_run)["command"]
    assert command.startswith("amends run ") and command.endswith(str(finished_run))
    assert html.escape(command, quote=False) in (finished_run / "report.html").read_text().replace("&#39;", "'")
