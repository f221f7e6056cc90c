"""Single stages through the real entry point, without a model: previews, comparisons, and who may write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from amends.artifacts import Manifest
from amends.locks import locked
from conftest import run_amends

HOLDER = """
import sys
from pathlib import Path
from amends.locks import locked
with locked(*map(Path, sys.argv[1:])):
    print("held", flush=True)
    input()
"""


def compose(out: Path, *more: str) -> list[str]:
    sets = ["--instructions", "bundled:redteam/train", "--benign", "bundled:benign/train"]
    return ["compose", "--method", "sft", *sets, "--limit", "5", "--out", str(out), *more]


def test_preview_of_an_unknown_model_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "samples.jsonl"
    assert run_amends(*compose(out, "--preview", "1", "--model", str(tmp_path / "none"))) == 2
    assert "no such directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_preview_marks_what_carries_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends(*compose(tmp_path / "samples.jsonl", "--preview", "2")) == 0
    printed = capsys.readouterr().out
    assert "10 samples (5 safe, 5 benign)" in printed
    assert "[<|im_end|>]" in printed
    assert "<|im_start|>user" in printed


def test_a_preview_obeys_nothing_of_what_it_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "a[/b]\u001b[2J", "prompt": "Why\u001b]52;c;AA\u0007?", "chosen": "So."}) + "\n")
    out = tmp_path / "samples.jsonl"
    command = ["compose", "--method", "sft", "--instructions", str(rows), "--out", str(out), "--preview", "1"]
    assert run_amends(*command) == 0
    printed = capsys.readouterr().out
    assert r"safe-a[/b]\x1b[2J: " in printed and r"\x1b]52;c;AA\x07?" in printed and "\x1b" not in printed


def test_with_json_standard_output_is_json_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends(*compose(tmp_path / "samples.jsonl", "--preview", "1", "--json")) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"safe": 5, "benign": 5}
    assert "[<|im_end|>]" in printed.err


def test_two_commands_do_not_write_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "samples.jsonl"
    lock = tmp_path / ".samples.jsonl.lock"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    assert run_amends(*compose(out)) == 2
    assert f"{out}: held by process {other.pid}" in capsys.readouterr().err
    other.communicate("\n", timeout=20)
    assert run_amends(*compose(out)) == 0
    with locked(lock, out):
        assert out.exists()


def test_bad_input_leaves_no_directory_behind(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "1"}\n')
    assert run_amends("respond", "--prompts", str(rows), "--out", str(tmp_path / "new" / "out.jsonl")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def verdicts(path: Path, harmless: int) -> Path:
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"id": str(n), "verdict": "harmless" if n < harmless else "harmful", "score": 0.9 if n < harmless else 0.1}
        for n in range(30)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_compared_files_are_called_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = verdicts(tmp_path / "before.jsonl", 10), verdicts(tmp_path / "after.jsonl", 25)
    assert run_amends("compare", str(after), str(before), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["a"], row["b"]) for row in found} == {("after", "before")}
    same = verdicts(tmp_path / "sft" / "before.jsonl", 10)
    assert run_amends("compare", str(same), str(before), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["a"], row["b"]) for row in found} == {("sft/before", f"{tmp_path.name}/before")}


def test_verdicts_of_two_judges_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = verdicts(tmp_path / "one.jsonl", 10), verdicts(tmp_path / "other.jsonl", 25)
    for path, judge in ((one, "probe"), (other, "endpoint")):
        Manifest(path, {"judge": judge}).write("finished")
    assert run_amends("compare", str(one), str(other)) == 2
    assert "two judges gave these verdicts" in capsys.readouterr().err


def test_prompts_of_one_file_only_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = verdicts(tmp_path / "one.jsonl", 10), verdicts(tmp_path / "other.jsonl", 25)
    lines = other.read_text().splitlines()
    other.write_text("\n".join([*lines[:20], '{"id": "x", "verdict": "unscored", "prompt_hash": "ab"}']))
    assert run_amends("compare", str(one), str(other), "--json") == 0
    printed = capsys.readouterr()
    assert {row["n"] for row in json.loads(printed.out)} == {20}
    assert printed.err == "amends: 11 prompts are in one of the two files only, and are not compared\n"


def test_the_command_tree_loads_nothing_heavy() -> None:
    """`amends --help` answers at once: libraries load inside the commands."""
    heavy = "{'torch', 'transformers', 'numpy', 'pydantic', 'rich'}"
    code = f"import sys, amends.cli.app; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
