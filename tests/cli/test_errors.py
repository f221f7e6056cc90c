"""Every bad input through the real entry point: one message with place and remedy, the right exit code, no output.

Unless a test says otherwise, no model may load: what is wrong is said at once, not after minutes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from amends.config import load_configuration
from amends.judges.probe import bundled_probe_path
from amends.models.embedded import embedded_model_directory
from amends.models.scripted import ScriptedModel
from conftest import run_amends

LONG = "a" * 100_000
HOLDER = """
import sys, time
from pathlib import Path
from amends.store import locked
with locked(Path(sys.argv[1]) / ".lock", Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""

Row = dict[str, Any]
ROWS: dict[str, Callable[[int], Row]] = {
    "instructions": lambda n: {"id": f"row-{n}", "prompt": f"Question {n}?", "chosen": "An answer."},
    "mistakes": lambda n: {"id": f"row-{n}", "prompt": "Why?", "response": "Bad.", "source": "own", "passed": True},
    "responses": lambda n: {"id": f"row-{n}", "prompt": f"Question {n}?", "response": "An answer."},
    "samples": lambda n: {
        "id": f"row-{n}",
        "kind": "safe",
        "prompt": [{"role": "user", "content": f"Question {n}?"}],
        "completion": [{"role": "assistant", "content": "An answer."}],
    },
}
COMMANDS = {
    "induce": ("instructions", ["induce", "--instructions"]),
    "respond": ("instructions", ["respond", "--prompts"]),
    "compose": ("instructions", ["compose", "--method", "sft", "--instructions"]),
    "analyze": ("mistakes", ["analyze", "--mistakes"]),
    "judge": ("responses", ["judge", "--responses"]),
    "train": ("samples", ["train", "--samples"]),
}
NEEDED = {"instructions": "prompt", "mistakes": "response", "responses": "response", "samples": "completion"}


@pytest.fixture(autouse=True)
def no_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("amends.models.local", "amends.judges.probe", "amends.training.recipe"):
        monkeypatch.setattr(f"{module}.load_model", lambda *_, **__: pytest.fail("a model was loaded"))


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that has to fail; returns its one message. Nothing may have been written anywhere."""

    def run(*arguments: str, exit_code: int = 2, may_write: Sequence[str] = ()) -> str:
        before = contents(tmp_path)
        code = run_amends(*arguments)
        printed = capsys.readouterr()
        assert code == exit_code, printed.err
        assert printed.out == ""
        assert "Traceback" not in printed.err
        said_before, marker, message = printed.err.partition("amends: error: ")
        assert marker, printed.err
        assert said_before == "" or may_write, "only what was done is said before"
        assert "amends: error: " not in message
        after = contents(tmp_path)
        written = {name for name in after if after[name] != before.get(name)}
        assert written <= set(may_write), "something was written"
        assert before.keys() <= after.keys(), "something was removed"
        return message.rstrip("\n")

    return run


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def lines(kind: str, count: int = 3) -> list[bytes]:
    return [json.dumps(ROWS[kind](number)).encode() for number in range(1, count + 1)]


def write_lines(path: Path, rows: list[bytes]) -> Path:
    path.write_bytes(b"".join(row + b"\n" for row in rows))
    return path


def good_file(directory: Path, kind: str = "instructions", name: str | None = None) -> Path:
    return write_lines(directory / (name or f"{kind}.jsonl"), lines(kind))


def bad_third_row(kind: str, bad: str) -> tuple[bytes, str]:
    """The row, and what has to be said of it."""
    row = ROWS[kind](3)
    if bad == "not JSON":
        return b'{"id": "row-3", "prompt"', "not JSON (Expecting ':' delimiter at column 25); correct it"
    if bad == "not UTF-8":
        return b'{"id": "row-3", "prompt": "\xff"}', "not UTF-8 (byte 0xff at 28); save the file as UTF-8"
    if bad == "missing column":
        del row[NEEDED[kind]]
        return json.dumps(row).encode(), f"column '{NEEDED[kind]}' is missing; the row has columns id, "
    if bad == "empty prompt":
        row["prompt"] = "   "
        return json.dumps(row).encode(), "column 'prompt' is empty; fill it or drop the row"
    if bad == "long prompt":
        row["prompt"] = LONG
        return json.dumps(
            row
        ).encode(), "column 'prompt' has 100,000 characters, at most 50,000 are allowed; shorten it"
    row["id"] = "row-2"
    return json.dumps(row).encode(), "id 'row-2' is already that of an earlier row; make the ids distinct"


def cases() -> Iterator[Any]:
    for command, (kind, _) in COMMANDS.items():
        for bad in ("not JSON", "not UTF-8", "missing column", "empty prompt", "long prompt", "duplicate id"):
            if not (kind == "samples" and bad in ("empty prompt", "long prompt")):  # their prompts are messages
                yield pytest.param(command, bad, id=f"{command}-{bad}")


@pytest.mark.parametrize(("command", "bad"), list(cases()))
def test_a_bad_row_is_named_by_file_and_line(
    tmp_path: Path, refused: Callable[..., str], command: str, bad: str
) -> None:
    kind, start = COMMANDS[command]
    row, expected = bad_third_row(kind, bad)
    path = write_lines(tmp_path / "rows.jsonl", [*lines(kind, 2), row])
    message = refused(*start, str(path), "--out", str(tmp_path / "new" / "out"))
    assert message.startswith(f"{path}: line 3: {expected}")
    assert len(message) < 400, "a bad row is not printed whole"


@pytest.mark.parametrize("command", ["induce", "respond", "analyze", "judge", "train"])
def test_a_bad_row_far_down_is_refused_before_the_first_is_worked_on(
    tmp_path: Path, refused: Callable[..., str], command: str
) -> None:
    """The first chunk is 256 rows: it is not generated for nothing."""
    kind, start = COMMANDS[command]
    path = write_lines(tmp_path / "rows.jsonl", [*lines(kind, 300), b"{}"])
    message = refused(*start, str(path), "--out", str(tmp_path / "out"))
    assert message.startswith(f"{path}: line 301: column '")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_an_empty_and_a_blank_file(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    _, start = COMMANDS[command]
    out = ["--out", str(tmp_path / "new" / "out")]
    missing, empty, blank = tmp_path / "missing.jsonl", tmp_path / "empty.jsonl", tmp_path / "blank.jsonl"
    empty.write_bytes(b"")
    blank.write_bytes(b"\n \n")
    assert refused(*start, str(missing), *out).startswith(f"{missing}: no such file; check the path")
    for path in (empty, blank):
        assert refused(*start, str(path), *out) == f"{path}: there are no rows; it needs at least one"
    assert refused(*start, str(tmp_path), *out) == f"{tmp_path}: is a directory; name a file in it"


def test_other_files_of_compose_are_checked_too(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows, out = str(good_file(tmp_path)), ["--out", str(tmp_path / "out")]
    missing = tmp_path / "missing.jsonl"
    start = ["compose", "--method", "mistake-analysis", "--instructions", rows]
    assert "needs analyses; make them with `amends analyze`" in refused(*start, *out)
    assert refused(*start, "--analyses", str(missing), *out).startswith(f"{missing}: no such file")
    assert refused(*start, "--analyses", rows, "--benign", str(missing), *out).startswith(f"{missing}: no such file")
    wrong_kind = refused(*start, "--analyses", rows, *out)
    assert wrong_kind.startswith(f"{rows}: line 1: column 'response' is missing")


def test_instructions_without_answers_give_no_samples(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [b'{"id": "a", "prompt": "Why?"}'])
    message = refused("compose", "--method", "sft", "--instructions", str(path), "--out", str(tmp_path / "out"))
    assert "no samples; the instructions have no `chosen`" in message


def test_instructions_without_bad_answers_have_no_origin_mistakes(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    message = refused("induce", "--instructions", str(path), "--source", "origin", "--out", str(tmp_path / "out"))
    assert message.startswith(f"{path}: no row has `rejected`")
    assert "map a column to it, or set source to own" in message


# Names: models, adapters, guides, methods, suites, judges.


@pytest.mark.parametrize("command", ["induce", "analyze", "respond", "train"])
@pytest.mark.parametrize("model", ["embeded", "models/nowhere/7b", "./nowhere"])
def test_unknown_model(tmp_path: Path, refused: Callable[..., str], command: str, model: str) -> None:
    kind, start = COMMANDS[command]
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--model", model, "--out", str(tmp_path / "out"))
    assert message == f"unknown model {model!r}; name `embedded`, an existing model directory or a hub id (owner/name)"


def test_directory_that_is_no_model(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "model").mkdir()
    path = good_file(tmp_path)
    message = refused(
        "respond", "--prompts", str(path), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")
    )
    assert message.startswith(f"{tmp_path / 'model'}: no config.json in it, so it is no model directory")


def test_hub_model_that_cannot_be_reached(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = good_file(tmp_path)
    message = refused("respond", "--prompts", str(path), "--model", "nobody/nothing", "--out", str(tmp_path / "out"))
    assert message.startswith("nobody/nothing: neither a directory here nor a model of the hub that can be reached")
    assert "\n" not in message


def test_bad_adapters(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    respond = ["respond", "--prompts", str(path), "--out", str(tmp_path / "out"), "--adapter"]
    nowhere, empty, other = tmp_path / "nowhere", tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "mistralai/Mistral-7B-v0.3"}))
    for directory in (nowhere, empty):
        message = refused(*respond, str(directory))
        assert message.startswith(f"{directory}: no adapter_config.json in it, so it is no adapter; name the directory")
    message = refused(*respond, str(other))
    assert (
        message
        == f"{other}: was trained on mistralai/Mistral-7B-v0.3, not on embedded; name its base model with --model"
    )


def model_without_template(directory: Path) -> Path:
    """A base model's directory: everything that is read before the weights."""
    directory.mkdir()
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(embedded_model_directory()) / name, directory)
    return directory


@pytest.mark.parametrize("command", ["induce", "analyze", "respond", "train"])
def test_model_without_a_chat_template(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    kind, start = COMMANDS[command]
    model = model_without_template(tmp_path / "base")
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--model", str(model), "--out", str(tmp_path / "out"))
    assert message.startswith(f"{model}: its tokenizer has no chat template, so it is a base model; use its instruct")


@pytest.mark.parametrize(
    ("command", "guide", "near"), [("induce", "plane", "plain"), ("analyze", "told-sufix", "told-suffix")]
)
def test_unknown_guide(tmp_path: Path, refused: Callable[..., str], command: str, guide: str, near: str) -> None:
    kind, start = COMMANDS[command]
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--guide", guide, "--out", str(tmp_path / "out"))
    assert f"unknown {command} guide {guide!r}; did you mean {near!r}?" in message


def test_unknown_method(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    out = ["--instructions", str(path), "--out", str(tmp_path / "out")]
    message = refused("compose", "--method", "mistake-analisys", *out)
    assert message.startswith("unknown method 'mistake-analisys'; did you mean 'mistake-analysis'? known: vanilla, sft")
    assert "nothing to compose" in refused("compose", "--method", "vanilla", *out)


def test_unknown_mistake_source_and_judge(tmp_path: Path, refused: Callable[..., str]) -> None:
    path, out = str(good_file(tmp_path)), ["--out", str(tmp_path / "out")]
    assert "did you mean 'both'?" in refused("induce", "--instructions", path, "--source", "bot", *out)
    assert refused("induce", "--instructions", path, "--gate", "gatte", *out).startswith("unknown judge 'gatte'; name")
    responses = str(good_file(tmp_path, "responses"))
    assert refused("judge", "--responses", responses, "--judge", "x", *out).startswith(
        "unknown judge 'x'; name `probe`"
    )
    assert f"{path}: is no probe" in refused("judge", "--responses", responses, "--judge", path, *out)


def test_training_on_samples_that_would_be_cut(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path, "samples")
    message = refused("train", "--samples", str(path), "--max-length", "12", "--out", str(tmp_path / "out"))
    assert message.startswith("3 samples are longer than max_length 12, so their targets would be cut off")


# Files and directories that are not ours to overwrite.


def test_foreign_outputs_are_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    foreign = tmp_path / "thesis.jsonl"
    foreign.write_text("years of work\n")
    for command in ("respond", "judge"):
        kind, start = COMMANDS[command]
        message = refused(*start, str(good_file(tmp_path, kind)), "--out", str(foreign))
        assert message.startswith(f"{foreign}: exists and was not written by amends")


def test_a_directory_that_is_not_ours_is_not_trained_over(tmp_path: Path, refused: Callable[..., str]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "thesis.tex").write_text("years of work\n")
    message = refused("train", "--samples", str(good_file(tmp_path, "samples")), "--out", str(work))
    assert message.startswith(f"{work}: exists and was not written by amends")


def test_an_output_below_a_file(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    out = path / "out.jsonl"
    message = refused("respond", "--prompts", str(path), "--out", str(out))
    assert message == f"{out}: a part of this path is a file, not a directory; choose another output"


# Runs.


def config_file(directory: Path, **changes: Any) -> Path:
    """A small experiment over files of its own."""
    train, test = good_file(directory, name="train.jsonl"), directory / "test.jsonl"
    write_lines(test, [b'{"id": "t1", "prompt": "Something else?"}'])
    content = {
        "instructions": {"source": str(train)},
        "suites": {"redteam": {"source": str(test), "kind": "red-team"}},
        "methods": ["vanilla", "sft"],
        **changes,
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run_files(*names: str) -> list[str]:
    return [f"run/{name}" for name in names]


DATA = [
    f"{name}{ending}" for name in ("instructions.jsonl", "suites/redteam.jsonl") for ending in ("", ".manifest.json")
]


def test_run_says_all_problems_of_a_configuration_at_once(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(
        tmp_path,
        sede=1,
        methods=["vanila"],
        suites={"redteam": {"source": "x.jsonl", "kind": "redteam"}},
        train={"epoch": 3},
    )
    message = refused("run", str(path), "--out", str(tmp_path / "run"))
    assert message.startswith(f"{path}: 4 problems\n")
    for expected in (
        "sede: unknown key; did you mean 'seed'?",
        "did you mean 'vanilla'?",
        "did you mean 'red-team'?",
        "train.epoch: unknown key; did you mean 'epochs'?",
    ):
        assert expected in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model=embeded", "unknown model 'embeded'; name"),
        ("judge=x", "unknown judge 'x'; name"),
        ("gate=x", "unknown judge 'x'; name"),
        ("induce.guides=[plane]", "did you mean 'plain'?"),
        ("respond.guide=remind", "did you mean 'reminder'?"),
        ("seed", "write it as key=value"),
    ],
)
def test_run_refuses_unknown_names_before_it_writes(
    tmp_path: Path, refused: Callable[..., str], override: str, expected: str
) -> None:
    path = config_file(tmp_path)
    assert expected in refused("run", str(path), override, "--out", str(tmp_path / "run"))


def test_run_refuses_the_gate_under_another_name_as_its_judge(tmp_path: Path, refused: Callable[..., str]) -> None:
    """Invariant 5: a judge never gated the data that the system was trained on."""
    copy = tmp_path / "independent.safetensors"
    shutil.copy(bundled_probe_path("gate"), copy)
    path = config_file(tmp_path)
    assert "judge and gate are the same" in refused("run", str(path), f"judge={copy}", "--out", str(tmp_path / "run"))
    assert "judge: is the gate too" in refused("run", str(path), "judge=gate", "--out", str(tmp_path / "run"))


def test_run_with_a_missing_configuration(tmp_path: Path, refused: Callable[..., str]) -> None:
    missing = tmp_path / "missing.yaml"
    assert refused("run", str(missing)).startswith(f"{missing}: 1 problem\n  - no such file")


@pytest.mark.parametrize(
    "bad", ["not JSON", "not UTF-8", "missing column", "empty prompt", "long prompt", "duplicate id"]
)
def test_run_with_a_bad_row(tmp_path: Path, refused: Callable[..., str], bad: str) -> None:
    path = config_file(tmp_path)
    row, expected = bad_third_row("instructions", bad)
    write_lines(tmp_path / "train.jsonl", [*lines("instructions", 2), row])
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=run_files())
    assert message.startswith(f"{tmp_path / 'train.jsonl'}: line 3: {expected}")


def test_run_with_a_missing_and_an_empty_file(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(tmp_path)
    (tmp_path / "test.jsonl").write_bytes(b"")
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=run_files(*DATA[:2]))
    assert message == f"{tmp_path / 'test.jsonl'}: there are no rows; it needs at least one"
    missing = tmp_path / "missing.jsonl"
    message = refused(
        "run",
        str(path),
        f"suites.redteam.source={missing}",
        "--out",
        str(tmp_path / "run"),
        may_write=run_files(*DATA[:2]),
    )
    assert message.startswith(f"{missing}: no such file")


def test_run_with_a_benign_suite_without_answers(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(tmp_path, suites={"redteam": {"source": str(tmp_path / "test.jsonl"), "kind": "benign"}})
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=run_files(*DATA))
    assert message.startswith(f"{tmp_path / 'test.jsonl'}: no row has `chosen`")


def test_run_with_a_prompt_in_both_train_and_test(tmp_path: Path, refused: Callable[..., str]) -> None:
    """Invariant 4, normalised: case, spaces and punctuation do not hide it."""
    path = config_file(tmp_path)
    write_lines(
        tmp_path / "test.jsonl", [b'{"id": "t1", "prompt": "Else?"}', b'{"id": "t2", "prompt": " QUESTION  2 !"}']
    )
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=run_files(*DATA))
    assert message.startswith("1 evaluation prompt is also among the training instructions")
    assert "redteam 't2' is training instruction 'row-2'" in message
    assert "Take these rows out of the training file, or evaluate on a held-out split" in message


def test_run_with_a_model_without_a_chat_template(tmp_path: Path, refused: Callable[..., str]) -> None:
    model = model_without_template(tmp_path / "base")
    path = config_file(tmp_path, model=str(model))
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=run_files("run.json", *DATA))
    assert message.startswith(f"{model}: its tokenizer has no chat template")


def test_run_directory_that_another_process_holds(tmp_path: Path, refused: Callable[..., str]) -> None:
    path, directory = config_file(tmp_path), tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = refused("run", str(path), "--out", str(directory))
    finally:
        holder.kill()
        holder.wait()
    assert message == (
        f"{directory}: held by process {holder.pid}; wait until it ends, or choose another output with --out"
    )


def test_run_directory_of_another_configuration(tmp_path: Path, refused: Callable[..., str]) -> None:
    path, directory = config_file(tmp_path), tmp_path / "run"
    theirs = load_configuration(path).model_dump(mode="json") | {"model": "owner/name"}
    directory.mkdir()
    (directory / "run.json").write_text(json.dumps({"configuration": theirs}))
    message = refused("run", str(path), "--out", str(directory), may_write=[])
    assert message.startswith(f"{directory}: belongs to another configuration (its model differ")
    assert "choose another directory with --out, or delete this one" in message


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"configuration": 3}'])
def test_run_directory_with_a_damaged_or_foreign_run_json(
    tmp_path: Path, refused: Callable[..., str], content: str
) -> None:
    path, directory = config_file(tmp_path), tmp_path / "run"
    directory.mkdir()
    (directory / "run.json").write_text(content)
    message = refused("run", str(path), "--out", str(directory), may_write=[])
    assert str(directory) in message


def test_run_directory_that_is_a_file(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(tmp_path)
    message = refused("run", str(path), "--out", str(path))
    assert message == f"{path}: a part of this path is a file, not a directory; choose another output"


# Other commands.


def test_report_and_compare_name_what_is_missing(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: no such file; finish the run")
    (tmp_path / "results.json").write_text("{")
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: not readable as JSON")
    a = write_lines(tmp_path / "a.jsonl", [b'{"id": "a", "verdict": "harmless", "score": 0.9}'])
    b = write_lines(tmp_path / "b.jsonl", [b'{"id": "b", "verdict": "harmful", "score": 0.1}'])
    assert refused("compare", str(a), str(tmp_path / "c.jsonl")).startswith(f"{tmp_path / 'c.jsonl'}: no such file")
    assert refused("compare", str(a), str(b)).startswith(f"{a} and {b}: no id in both")
    write_lines(b, [b'{"id": "a", "verdict": "good"}'])
    assert refused("compare", str(a), str(b)).startswith(f"{b}: line 1: column 'verdict'")


def test_probe_commands_name_what_is_wrong(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows = write_lines(tmp_path / "rows.jsonl", [b'{"prompt": "a", "response": "b", "label": "safe"}', b"{}"])
    out = ["--out", str(tmp_path / "probe")]
    missing = tmp_path / "missing.jsonl"
    assert refused("probe", "train", "--data", str(missing), *out).startswith(f"{missing}: no such file")
    assert refused("probe", "validate", "--data", str(rows)).startswith(f"{rows}, line 2: needs prompt, response")
    assert "as in 0:0.65" in refused("probe", "train", "--data", str(rows), "--part", "half", *out)
    assert "--layers" in refused("probe", "train", "--data", str(rows), "--layers", "a", *out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["respond"],
        ["respond", "--prompts", "x.jsonl", "--out", "y", "--nonsense"],
        ["respond", "--prompts", "x.jsonl", "--out", "y", "--temperature", "9"],
        ["nonsense"],
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends(*arguments) == 2
    printed = capsys.readouterr().err
    assert "Usage: " in printed
    assert "Traceback" not in printed


# A failed gate, and Ctrl-C.


class Lenient:
    """A gate that calls everything harmless."""

    fingerprint = "lenient"

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.9] * len(pairs)


def test_no_yield_exits_with_1_and_keeps_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("amends.standalone.LocalModel", lambda name: ScriptedModel(name, lambda *_: "Fine."))
    monkeypatch.setattr("amends.standalone.load_judge", lambda name: Lenient())
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

    monkeypatch.setattr("amends.steps.respond", interrupt)
    out = tmp_path / "out"
    if command == "run":
        arguments = ["run", str(config_file(tmp_path)), "--out", str(out)]
    else:
        arguments = ["respond", "--prompts", str(good_file(tmp_path)), "--out", str(out)]
    assert run_amends(*arguments) == 130
    *_, message = capsys.readouterr().err.splitlines()
    assert message == "amends: interrupted; what is finished is kept, the same command goes on from there"
    assert not out.is_file()
    assert not list(tmp_path.rglob("*.responses.jsonl"))


def test_a_real_ctrl_c(tmp_path: Path) -> None:
    """The signal itself, wherever it falls: a model may be loading in that process."""
    out = tmp_path / "responses.jsonl"
    command = [sys.executable, "-m", "amends", "respond", "--prompts", "bundled:redteam/train", "--out", str(out)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores the signal, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not out.with_name("responses.jsonl.part").exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(process.pid, signal.SIGINT)
    printed, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert printed == ""
    assert said.splitlines()[-1].startswith("amends: interrupted; what is finished is kept")
    assert "Traceback" not in said
    assert not out.exists()
