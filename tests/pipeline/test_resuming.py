"""A run that was interrupted, damaged or told something else is gone on with, refused or redone as it should be."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from conftest import record_bytes, run_amends
from forked import processes
from tiny_run import run_until_killed


def test_a_changed_setting_is_refused_with_what_it_would_cost_and_redone_when_that_is_said(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "copy"
    shutil.copytree(finished_run, directory)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    command = ("run", *tiny_settings, "compose.benign=0.5", "--out", str(directory))
    assert run_amends(*command) == 2
    refused = capsys.readouterr().err
    assert "benign 1.0 -> 0.5 (of sft: samples, mistake-analysis: samples)" in refused
    assert "would be made anew: sft: samples, sft: training, sft unguided: redteam, " in refused
    assert "analyses" not in refused.replace("mistake-analysis", "")
    assert "vanilla" not in refused
    assert refused.endswith("Choose another directory with --out, or add --overwrite to make them anew\n")
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    assert run_amends(*command, "--overwrite") == 0
    said = capsys.readouterr().err
    assert "analyses: finished, skipped" in said
    assert "sft: samples: made anew, since its benign 1.0 -> 0.5 changed" in said
    assert "sft: training: made anew, since its inputs changed" in said
    assert "vanilla unguided: redteam: finished, skipped" in said
    assert not list(directory.rglob("*.bak"))


DAMAGED = (
    "instructions.jsonl",
    "mistakes.jsonl",
    "analyses.jsonl.manifest.json",
    "suites/redteam.jsonl",
    "sft/samples.jsonl",
    "sft/adapter/adapter_model.safetensors",
    "sft/adapter.manifest.json",
    "sft/training.json",
    "sft/guided.redteam.responses.jsonl",
    "sft/guided.benign.losses.jsonl",
    "vanilla/unguided.redteam.verdicts.jsonl",
    "agreement.json",
    "results.json",
    "timings.json",
    "run.json",
)


@pytest.mark.parametrize("name", DAMAGED)
def test_a_digit_or_a_byte_of_a_finished_run_is_refused_by_name(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Of the same size and time. What it says to do helps, and what was made of it stays as it is."""
    directory = tmp_path / "copy"
    shutil.copytree(finished_run, directory)
    path, command = directory / name, ("run", *tiny_settings, "--out", str(directory))
    times, content = path.stat(), bytearray(path.read_bytes())
    places = [place for place, byte in enumerate(content) if chr(byte).isdigit()] or [len(content) // 2]
    if name in ("timings.json", "run.json"):
        content[0] = ord("x")  # they have no digest: what is no JSON is noticed
    else:
        content[places[len(places) // 2]] = ord("7")
    if content == path.read_bytes():
        content[places[len(places) // 2]] = ord("3")
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    before = {one: one.read_bytes() for one in directory.rglob("*") if one.is_file()}
    assert run_amends(*command) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(path) in printed.err
    assert printed.err.count("\n") == 1
    assert {one: one.read_bytes() for one in directory.rglob("*") if one.is_file()} == before
    if name in ("run.json", "timings.json"):
        path.unlink()
    assert run_amends(*command, "--overwrite") == 0
    capsys.readouterr()
    assert record_bytes(directory) == record_bytes(finished_run)


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    directory = tmp_path / "killed"
    for moment in (
        "mistakes.jsonl.part",
        "sft/adapter.part/checkpoint-2",  # half written; the first is whole
        "mistake-analysis/unguided.redteam.responses.jsonl",
    ):
        process = processes().Process(target=run_until_killed, args=(tiny_settings, directory, moment))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL, "ended before it was killed"
        assert (directory / moment).exists()
        assert not (directory / "results.json").exists()
    assert run_amends("run", *tiny_settings, "--out", str(directory)) == 0
    assert record_bytes(directory) == record_bytes(finished_run)
