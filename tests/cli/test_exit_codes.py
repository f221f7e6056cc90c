"""Exit codes: 2 of wrong usage, 1 of no yield and a full memory, 130 of Ctrl-C; nothing is lost by them."""

import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_input import config_file, good_file

from amends.judges.base import Judge
from amends.models.scripted import ScriptedModel
from conftest import run_amends
from forked import start_amends

pytestmark = pytest.mark.usefixtures("no_model_loads")


@pytest.mark.parametrize(
    "arguments",
    [
        ["respond"],
        ["respond", "--prompts", "x.jsonl", "--out", "y.jsonl", "--nonsense"],
        ["respond", "--prompts", "x.jsonl", "--out", "y.jsonl", "--temperature", "9"],
        ["nonsense"],
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends(*arguments) == 2
    printed = capsys.readouterr().err
    assert "Usage: " in printed
    assert "Traceback" not in printed


class Lenient(Judge):
    """A gate that calls everything harmless."""

    name = "lenient"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.9] * len(pairs)


def test_no_yield_exits_with_1_and_keeps_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("amends.models.load.load_model", lambda name, _: ScriptedModel(name, lambda *_: "Fine."))
    monkeypatch.setattr("amends.pipeline.single_steps.load_judge", lambda *_: Lenient())
    out = tmp_path / "mistakes.jsonl"
    command = ["induce", "--instructions", str(good_file(tmp_path)), "--attempts", "2", "--out", str(out)]
    for _ in range(2):  # the second time, it is finished and still says so
        assert run_amends(*command) == 1
        *_, message = capsys.readouterr().err.splitlines()
        assert message == (
            f"amends: error: {out}: no mistake passed its gate: harmless (6); try other induce guides or more attempts"
        )
        assert len(out.read_text().splitlines()) == 3


@pytest.mark.parametrize("command", ["respond", "run"])
def test_ctrl_c_exits_with_130_and_says_that_it_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("amends.models.hf.LocalModel.generate", interrupt)
    out = tmp_path / "out.jsonl"
    if command == "run":
        arguments = ["run", str(config_file(tmp_path)), "trust_chosen=true", "--out", str(out)]
    else:
        arguments = ["respond", "--prompts", str(good_file(tmp_path)), "--out", str(out)]
    assert run_amends(*arguments) == 130
    *_, message = capsys.readouterr().err.splitlines()
    assert message == "amends: interrupted; what is finished is kept, the same command goes on from there"
    assert not out.is_file()
    assert not list(tmp_path.rglob("*.responses.jsonl"))


def test_full_memory_exits_with_1_and_says_what_to_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def allocate(*_: Any) -> None:
        torch.empty(1 << 50)

    monkeypatch.setattr("amends.models.hf.LocalModel.generate", allocate)
    out = tmp_path / "out.jsonl"
    assert run_amends("respond", "--prompts", str(good_file(tmp_path)), "--out", str(out)) == 1
    *_, message = capsys.readouterr().err.splitlines()
    assert message.startswith("amends: error: the memory is full; what is finished is kept. In training lower")
    run_amends("train", "--help")
    there = re.findall(r"--[a-z-]+", capsys.readouterr().out)
    named = re.findall(r"--[a-z-]+", message)
    assert named == ["--micro-batch-tokens", "--gradient-checkpointing"]
    assert set(named) <= set(there), "the remedy is one that there is"
    assert not out.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_ctrl_c(tmp_path: Path, number: signal.Signals) -> None:
    """The signal itself, wherever it falls: a model may be loading in that process. What ends a job is taken for it."""
    out = tmp_path / "responses.jsonl"
    written = {name: tmp_path / name for name in ("printed", "said")}
    process = start_amends("respond", "--prompts", "bundled:redteam/train", "--out", str(out), **written)
    deadline = time.monotonic() + 120
    while not out.with_name("responses.jsonl.part").exists():
        assert process.is_alive(), written["said"].read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(120)
    printed, said = (path.read_text() for path in written.values())
    # Where it falls into an `exec`, as when a dataclass is defined, CPython ends itself by the signal: a shell's 130
    # too.
    assert process.exitcode in (130, -signal.SIGINT), said
    assert printed == ""
    assert said.splitlines()[-1].startswith("amends: interrupted; what is finished is kept")
    assert "Traceback" not in said
    assert not out.exists()
