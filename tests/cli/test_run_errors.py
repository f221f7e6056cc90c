"""Runs that cannot be: a message with place and remedy, the right exit code, nothing lost."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input import (
    DATA,
    bad_third_row,
    config_file,
    lines,
    model_without_template,
    run_files,
    shared_model,
    write_lines,
)

from amends.config.reading import load_configuration
from amends.judges.probe import bundled_weights
from conftest import HOLDER

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
