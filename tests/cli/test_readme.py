"""What README.md and the guides tell a new user to type works as it stands there, on fewer rows."""

import json
import re
import shlex
from pathlib import Path

import pytest

from amends import __version__
from amends.prompts import english
from conftest import run_amends

REPOSITORY = Path(__file__).parents[2]
GUIDES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs/guides").glob("*.md")))
)


def commands(first: str) -> list[list[str]]:
    """The command lines of the code block that begins with `first`."""
    (block,) = re.findall(rf"^```\n({re.escape(first)}.*?)^```", GUIDES, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for line in block.replace("\\\n", " ").splitlines()]


def test_the_single_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    ran = []
    for command in commands("amends induce") + commands("amends answer"):
        limited = [
            one.replace("40", "6") if command[place - 1] == "--limit" else one for place, one in enumerate(command)
        ]
        stage = command[1]
        more = {
            "induce": ["--max-new-tokens", "16", "--attempts", "3"],
            "analyze": ["--max-new-tokens", "40", "--attempts", "3"],
            "answer": ["--max-new-tokens", "16", "--attempts", "2", "--at-least", "0.5"],
            "contrast": ["--max-new-tokens", "32"],
            "reply": ["--max-new-tokens", "16", "--attempts", "2"],
            "chain": ["--max-new-tokens", "16", "--attempts", "1"],
            "respond": ["--limit", "3", "--max-new-tokens", "6"],
            "train": ["--max-steps", "1", "--batch-size", "2", "--seed", "1"],
        }
        assert run_amends(*limited[1:], *more.get(stage, [])) == 0, capsys.readouterr().err
        ran.append(stage)
    made = {"induce", "analyze", "answer", "contrast", "reply", "chain"}
    assert made | {"compose", "train", "respond", "judge", "compare"} == set(ran)
    assert {"mistakes.jsonl", "analyses.jsonl", "samples.jsonl", "adapter", "after.verdicts.jsonl", "plus.jsonl"} <= {
        path.name for path in (tmp_path / "try").iterdir()
    }
    guided = json.loads((tmp_path / "try/before.jsonl.manifest.json").read_text())["parts"]["guide"]
    assert guided == json.loads((tmp_path / "try/after.jsonl.manifest.json").read_text())["parts"]["guide"]


def test_the_reminder_of_the_guides_is_the_one_that_is_measured() -> None:
    assert f'reminder = "{english().guide("respond", "reminder").suffix}"' in GUIDES


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("--version") == 0
    assert __version__ in capsys.readouterr().out
