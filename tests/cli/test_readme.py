"""What README.md tells a new user to type works as it stands there, on fewer rows."""

import json
import re
import shlex
from pathlib import Path

import pytest

from amends import __version__
from amends.prompts import guide
from conftest import run_amends

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def commands(first: str) -> list[list[str]]:
    """The command lines of the code block that begins with `first`."""
    (block,) = re.findall(rf"^```\n({re.escape(first)}.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


def test_the_single_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for command in commands("amends induce") + commands("amends answer"):
        limited = [
            one.replace("40", "4") if command[place - 1] == "--limit" else one for place, one in enumerate(command)
        ]
        stage = command[1]
        more = {
            "induce": ["--max-new-tokens", "24"],
            "analyze": ["--max-new-tokens", "40"],
            "answer": ["--max-new-tokens", "24", "--attempts", "3", "--at-least", "0.5"],
            "respond": ["--limit", "4", "--max-new-tokens", "12"],
            "train": ["--epochs", "1", "--batch-size", "4", "--seed", "1"],
        }
        assert run_amends(*limited[1:], *more.get(stage, [])) == 0, capsys.readouterr().err
        ran.append(stage)
    assert {"induce", "analyze", "compose", "train", "respond", "judge", "compare", "answer"} == set(ran)
    assert {"mistakes.jsonl", "analyses.jsonl", "samples.jsonl", "adapter", "after.verdicts.jsonl", "plus.jsonl"} <= {
        path.name for path in (tmp_path / "try").iterdir()
    }
    guided = json.loads((tmp_path / "try/before.jsonl.manifest.json").read_text())["parts"]["guide"]
    assert guided == json.loads((tmp_path / "try/after.jsonl.manifest.json").read_text())["parts"]["guide"]


def test_the_reminder_of_the_readme_is_the_one_that_is_measured() -> None:
    assert f'reminder = "{guide("respond", "reminder").suffix}"' in README


def test_doctor_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("doctor", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["amends"] == __version__ and found["device"] == "cpu"
    assert {"processor", "memory", "precision", "torch", "free space here"} <= found.keys()
    assert run_amends("--version") == 0
    assert __version__ in capsys.readouterr().out
