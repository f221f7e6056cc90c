"""Runs, reports and comparisons that cannot be: a message with place and remedy, the right exit code, nothing lost."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from bad_input import (
    DATA,
    bad_third_row,
    config_file,
    good_file,
    lines,
    model_without_template,
    run_files,
    shared_model,
    write_lines,
)

from amends.config.reading import load_configuration
from amends.judges.base import Judge
from amends.judges.probe import bundled_weights
from amends.models.scripted import ScriptedModel
from conftest import HOLDER, run_amends
from forked import start_amends

pytestmark = pytest.mark.usefixtures("no_model_loads")


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
        ("model=embeded", "unknown model 'embeded'; did you mean 'embedded'?"),
        ("judge=x", "unknown judge 'x'; known:"),
        ("gate=x", "unknown judge 'x'; known:"),
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
    shutil.copy(bundled_weights("gate"), copy)
    path = config_file(tmp_path)
    assert "judge and gate are the same" in refused("run", str(path), f"judge={copy}", "--out", str(tmp_path / "run"))
    assert "judge: is the gate too" in refused("run", str(path), "judge=gate", "--out", str(tmp_path / "run"))


def test_run_refuses_the_model_itself_as_its_judge(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(tmp_path, model="embedded")
    message = refused("run", str(path), "judge=local:embedded", "--out", str(tmp_path / "run"))
    assert "judge embedded is the model that is judged" in message


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
    sets = [f"suites.redteam.source={missing}", "benign.source=bundled:benign/trane"]
    message = refused("run", str(path), *sets, "--out", str(tmp_path / "new"))
    assert message.startswith("configuration: 2 problems\n  - benign.source: bundled:benign/trane: no such bundled set")
    assert f"  - suites.redteam.source: {missing}: no such file; check the path" in message


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
    message = refused("run", str(path), "--out", str(tmp_path / "run"))
    assert message.startswith(f"{model}: its tokenizer has no chat template")


def test_run_with_nothing_to_train_a_method_on(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = config_file(tmp_path, methods=["mistake-analysis-plus", "sft", "dpo"])
    train = write_lines(tmp_path / "train.jsonl", [b'{"id": "a", "prompt": "How?"}'])
    message = refused("run", str(path), "benign.source=bundled:benign/train", "--out", str(tmp_path / "run"))
    assert message.startswith(f"{train}: no row has `chosen`, a safe answer to train on, for the methods sft, dpo;")


def test_run_with_a_guide_that_the_chat_template_has_no_place_for(tmp_path: Path, refused: Callable[..., str]) -> None:
    model = model_without_template(tmp_path / "base")
    no_system = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}x"
    (model / "chat_template.jinja").write_text(no_system)
    path = config_file(tmp_path, model=str(model), methods=["mistake-analysis"])
    message = refused("run", str(path), "--out", str(tmp_path / "run"))
    induce, analyze = message.strip().splitlines()
    assert induce.startswith(f"induce.guides: guide 'direct-should': {model}: its chat template does not take")
    assert induce.endswith("(of these unethical-suffix, plain, should-prefill)")
    assert analyze.startswith("analyze.guides: guide 'reviewer-system-prefill'"), "all at once"
    assert analyze.endswith("(of these told-suffix-prefill, told-since)")


def test_run_with_a_model_that_always_reasons_or_cannot_be_trained(tmp_path: Path, refused: Callable[..., str]) -> None:
    model = model_without_template(tmp_path / "base")
    path = config_file(tmp_path, model=str(model), methods=["mistake-analysis"])
    command = ["run", str(path), "--out", str(tmp_path / "run")]
    turns = "{% for one in messages %}{{ one.content }}<|im_end|>{% endfor %}"
    (model / "chat_template.jinja").write_text(turns + "{% if add_generation_prompt %}<think>\n{% endif %}")
    assert refused(*command).startswith(f"{model}: its chat template begins every answer with <think>")
    (model / "chat_template.jinja").write_text("{{ messages | length }}" + turns)
    assert "the chat template renders the prompt differently when an answer follows" in refused(*command)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("role", [{"judge": "endpoint:m@{}"}, {"analyze": {"source": "endpoint:m@{}"}}])
def test_run_with_a_server_that_does_not_answer(
    role: dict[str, Any], tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = json.loads(json.dumps(role).replace("{}", "http://127.0.0.1:9/v1"))
    path = config_file(tmp_path, **named)
    message = refused("run", str(path), "--out", str(tmp_path / "run"))
    assert message.startswith("http://127.0.0.1:9/v1: model 'm' does not answer")


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


@pytest.mark.parametrize("modules", ["[q_prj]", "q_prj", '"q_proj["', "[input_layernorm]"])
def test_run_with_modules_to_train_that_the_model_lacks(
    tmp_path: Path, refused: Callable[..., str], modules: str
) -> None:
    command = ["run", str(config_file(tmp_path)), f"train.target_modules={modules}", "--out", str(tmp_path / "run")]
    assert refused(*command).startswith(f"train.target_modules: does not fit {shared_model(tmp_path)} (")


def test_what_is_wrong_with_a_later_variant_is_said_before_the_first_starts(
    tmp_path: Path, refused: Callable[..., str]
) -> None:
    path, out = config_file(tmp_path), tmp_path / "run"
    other = write_lines(tmp_path / "other.jsonl", [b'{"id": "a", "prompt": "Something else?", "chosen": "Yes."}'])
    variants = f"variants={{first: {{}}, second: {{instructions.source: {other}}}}}"
    message = refused("run", str(path), variants, "--out", str(out))
    assert message.startswith("1 evaluation prompt is also among the training instructions")
    write_lines(other, [b"{}"])
    assert refused("run", str(path), variants, "--out", str(out)).startswith(f"{other}: line 1: ")
    write_lines(other, [b'{"id": "a", "prompt": "More?", "chosen": "Yes."}'])
    theirs = load_configuration(path).model_dump(mode="json") | {"model": "owner/name"}
    (out / "second" / "seed-1").mkdir(parents=True)
    (out / "second" / "seed-1" / "run.json").write_text(json.dumps({"configuration": theirs}))
    message = refused("run", str(path), variants, "seeds=[0, 1]", "--out", str(out))
    assert message.startswith(f"{out / 'second' / 'seed-1'}: belongs to another configuration (its model and instr")


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
    assert refused("report", str(tmp_path), "--json", "--markdown") == "--json and --markdown: name one of them"
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: no such file; finish the run")
    (tmp_path / "results.json").write_text("{")
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: not readable as JSON")
    a = write_lines(tmp_path / "a.jsonl", [b'{"id": "a", "verdict": "harmless", "score": 0.9}'])
    b = write_lines(tmp_path / "b.jsonl", [b'{"id": "b", "verdict": "harmful", "score": 0.1}'])
    assert refused("compare", str(a), str(tmp_path / "c.jsonl")).startswith(f"{tmp_path / 'c.jsonl'}: no such file")
    assert refused("compare", str(a), str(b)).startswith(f"{a} and {b}: no id in both")
    rows = [f'{{"id": "a", "verdict": "harmful", "prompt_hash": "{about}"}}'.encode() for about in "ab"]
    other = [write_lines(tmp_path / f"{number}.jsonl", [row]) for number, row in enumerate(rows)]
    assert "1 of 1 ids are of two prompts (first: 'a')" in refused("compare", *map(str, other))
    write_lines(b, [b'{"id": "a", "verdict": "unscored"}'])
    assert refused("compare", str(a), str(b)).startswith(f"{a} and {b}: no prompt is scored in both; judge")
    write_lines(b, [b'{"id": "a", "verdict": "good"}'])
    assert refused("compare", str(a), str(b)).startswith(f"{b}: line 1: column 'verdict'")


def test_probe_commands_name_what_is_wrong(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows = write_lines(tmp_path / "rows.jsonl", [b'{"prompt": "a", "response": "b", "label": "safe"}', b"{}"])
    out = ["--out", str(tmp_path / "probe")]
    missing = tmp_path / "missing.jsonl"
    assert refused("probe", "train", "--data", str(missing), *out).startswith(f"{missing}: no such file")
    assert refused("probe", "validate", "--data", str(rows)).startswith(f"{rows}: line 2: needs prompt, response")
    alike = write_lines(tmp_path / "alike.jsonl", [b'{"prompt": "a", "response": "b", "label": "safe"}'] * 2)
    failures = ["--failures", str(tmp_path / "failures.jsonl")]
    message = refused("probe", "validate", "--data", str(alike), *failures)
    assert message == "alike: all rows have the same label; a judge cannot be validated on them"
    assert "is a directory; name a file" in refused("probe", "train", "--data", str(rows), "--out", str(tmp_path))
    assert "as in 0:0.65" in refused("probe", "train", "--data", str(rows), "--part", "half", *out)
    for layers in ("a", "0", "18,14+0", "-1"):
        assert "layers from 1 on" in refused("probe", "train", "--data", str(rows), "--layers", layers, *out)


def test_a_probe_is_not_trained_on_one_label(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows = [json.dumps({"prompt": f"Q{n}", "response": "b", "label": "unsafe"}).encode() for n in range(20)]
    path = write_lines(tmp_path / "rows.jsonl", rows)
    message = refused("probe", "train", "--data", str(path), "--out", str(tmp_path / "probe"))
    assert message.startswith("rows: the 20 rows, less those of the prompts to validate on, have one label only; give")


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


# A failed gate, and Ctrl-C.


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
