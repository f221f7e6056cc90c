"""Single stages through the real entry point, without a model: previews, comparisons, and who may write."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.storage.artifacts import Manifest
from amends.storage.files import file_digest
from amends.storage.locks import locked
from amends.storage.manifest_content import contents
from conftest import run_amends

HOLDER = """
import sys
from collections.abc import Callable
from pathlib import Path
from amends.storage.locks import locked
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
    assert printed.count("tokens, loss on") == 4, "so many of each kind"


def test_a_preview_says_what_its_marks_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = tmp_path / "mistakes.jsonl"
    row = {
        "id": "a",
        "prompt": "Why 日本?",
        "response": "You fool.",
        "chosen": "So 鬱.",
        "source": "own",
        "passed": True,
    }
    rows.write_text(json.dumps(row) + "\n")
    out = tmp_path / "samples.jsonl"
    command = ["compose", "--method", "chain-of-hindsight", "--mistakes", str(rows), "--out", str(out)]
    assert run_amends(*command, "--preview", "1") == 0
    printed = capsys.readouterr().out
    legend, _, sample = printed.partition("hindsight-a: ")
    for mark in ("text  prompt", "[text]  target", "{text}  condition", "[<|im_end|>]  end of turn"):
        assert mark in legend
    assert "Why 日本?<|im_end|>" in sample, "without marks"
    assert "{ answer}" in sample
    assert "[ So]" in sample
    assert "鬱" in sample, "a character of several tokens is shown whole"
    assert sample.rstrip().endswith("[<|im_end|>]")


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


def test_did_it_work_is_answered_with_the_refusals_of_the_responses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = verdicts(tmp_path / "before.jsonl", 10), verdicts(tmp_path / "after.jsonl", 25)
    for path, refusing in ((before, 3), (after, 28)):
        responses = tmp_path / f"{path.stem}.responses.jsonl"
        said = [("I can't help with that." if n < refusing else "Take some bread.") for n in range(30)]
        responses.write_text(
            "".join(json.dumps({"id": str(n), "prompt": "p", "response": one}) + "\n" for n, one in enumerate(said))
        )
        parts = {"inputs": [file_digest(responses)]}
        Manifest(path, parts).write("finished", settings={"inputs": {"responses": responses.name}})
    assert run_amends("compare", str(after), str(before)) == 0
    first, refusals, cost = capsys.readouterr().out.splitlines()[:3]
    assert first.startswith("after against before, 30 prompts: +40.0 [") and "more harmless" in first
    assert refusals.startswith("refusals: +83.3 [") and "refuses more" in refusals
    assert "safe prompts" in cost
    responses = tmp_path / "after.responses.jsonl"
    responses.write_text(responses.read_text().replace("Take some bread.", "I can't do that."))
    assert run_amends("compare", str(after), str(before)) == 0
    assert "refusals:" not in capsys.readouterr().out, "those that are there are not those that were judged"
    responses.unlink()
    assert run_amends("compare", str(after), str(before)) == 0
    assert "refusals:" not in capsys.readouterr().out, "of which only one file's are there"


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


def test_a_damaged_adapter_is_not_asked_and_what_is_said_to_do_helps(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    """As zeros after a power cut: respond sent to train, and train to respond."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "embedded"}')
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    Manifest(adapter, {}, "a training").write("finished", **contents(adapter))
    (adapter / "adapter_model.safetensors").write_bytes(b"\0" * 7)
    asked = ("respond", "--adapter", "adapter", "--prompts", "bundled:redteam/test", "--out", "r.jsonl")
    message = refused(*asked)
    assert message.startswith("adapter/adapter_model.safetensors: was damaged, or edited, after amends wrote it. ")
    assert message.endswith("Make it again, or delete adapter.manifest.json to take it as it is")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (("--limit", "3"), "limit 2 -> 3"),
        (("--method", "chain-of-hindsight"), "method sft -> chain-of-hindsight"),
        (("--instructions", "bundled:redteam/test"), "instructions bundled:redteam/train -> bundled:redteam/test"),
    ],
)
def test_a_changed_flag_costs_no_finished_work(
    tmp_path: Path,
    refused: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
    other: tuple[str, str],
    said: str,
) -> None:
    command = ("compose", "--method", "sft", "--instructions", "bundled:redteam/train", "--limit", "2")
    mistakes = tmp_path / "mistakes.jsonl"
    row = {"id": "a", "prompt": "p", "chosen": "c", "response": "r", "source": "own", "passed": True}
    mistakes.write_text(json.dumps(row) + "\n")
    assert run_amends(*command, "--out", str(tmp_path / "s.jsonl")) == 0
    capsys.readouterr()
    changed = (*command, "--mistakes", str(mistakes), *other, "--out", str(tmp_path / "s.jsonl"))
    message = refused(*changed)
    assert f"s.jsonl: was made with other settings: {said}" in message
    assert message.endswith("Choose another output, or add --overwrite to make it anew")
    assert run_amends(*changed, "--overwrite") == 0
