"""Bad rows, models, names and outputs through the real entry point: one message with place and remedy, no output.

No model may load: what is wrong is said at once, not after minutes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_input import COMMANDS, bad_third_row, good_file, lines, model_without_template, write_lines

from conftest import CONFIGS

pytestmark = pytest.mark.usefixtures("no_model_loads")


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
    message = refused(*start, str(path), "--out", str(tmp_path / "new" / "out.jsonl"))
    assert message.startswith(f"{path}: line 3: {expected}")
    assert len(message) < 400, "a bad row is not printed whole"


@pytest.mark.parametrize("command", ["induce", "respond", "analyze", "judge", "train"])
def test_a_bad_row_far_down_is_refused_before_the_first_is_worked_on(
    tmp_path: Path, refused: Callable[..., str], command: str
) -> None:
    """The first chunk is 256 rows: it is not generated for nothing."""
    kind, start = COMMANDS[command]
    path = write_lines(tmp_path / "rows.jsonl", [*lines(kind, 300), b"{}"])
    message = refused(*start, str(path), "--out", str(tmp_path / "out.jsonl"))
    assert message.startswith(f"{path}: line 301: column")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_an_empty_and_a_blank_file(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    _, start = COMMANDS[command]
    out = ["--out", str(tmp_path / "new" / "out.jsonl")]
    missing, empty, blank = tmp_path / "missing.jsonl", tmp_path / "empty.jsonl", tmp_path / "blank.jsonl"
    empty.write_bytes(b"")
    blank.write_bytes(b"\n \n")
    assert refused(*start, str(missing), *out).startswith(f"{missing}: no such file; check the path")
    for path in (empty, blank):
        assert refused(*start, str(path), *out) == f"{path}: there are no rows; it needs at least one"
    assert refused(*start, str(tmp_path), *out).startswith(f"{tmp_path}: is a directory; name a file in it")


def test_other_files_of_compose_are_checked_too(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows, out = str(good_file(tmp_path)), ["--out", str(tmp_path / "out.jsonl")]
    missing = tmp_path / "missing.jsonl"
    start = ["compose", "--method", "mistake-analysis", "--instructions", rows]
    assert "needs analyses; make them with `amends analyze`" in refused(*start, *out)
    assert refused(*start, "--analyses", str(missing), *out).startswith(f"{missing}: no such file")
    assert refused(*start, "--analyses", rows, "--benign", str(missing), *out).startswith(f"{missing}: no such file")
    wrong_kind = refused(*start, "--analyses", rows, *out)
    assert wrong_kind.startswith(f"{rows}: line 1: columns 'passed', 'response', 'analysis' are missing; the row has")


def test_instructions_without_answers_give_no_samples(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = write_lines(tmp_path / "rows.jsonl", [b'{"id": "a", "prompt": "Why?"}'])
    message = refused("compose", "--method", "sft", "--instructions", str(path), "--out", str(tmp_path / "out.jsonl"))
    assert "no samples; the instructions have no `chosen`" in message


def test_instructions_without_bad_answers_have_no_origin_mistakes(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    message = refused("induce", "--instructions", str(path), "--source", "origin", "--out", str(tmp_path / "out.jsonl"))
    assert message.startswith(f"{path}: no row has `rejected`")
    assert "or --columns rejected=NAME), or set source to own" in message


# Names: models, adapters, guides, methods, suites, judges.


@pytest.mark.parametrize("command", ["induce", "analyze", "respond", "train"])
@pytest.mark.parametrize("model", ["embeded", "models/nowhere/7b", "./nowhere", "runs/nowhere", "runs/nowhere-1.5b"])
def test_unknown_model(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, command: str, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()  # what lies in a directory that is here is no hub id
    kind, start = COMMANDS[command]
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--model", model, "--out", str(tmp_path / "out.jsonl"))
    known = "`embedded`, an existing model directory or a hub id (owner/name)"
    if "/" in model:
        assert message.startswith(f"{model}: no such directory; name {known}")
    else:
        assert message.startswith(f"unknown model {model!r}; did you mean 'embedded'? known: {known}")
        assert "To add one: @amends.register_model" in message


def test_directory_that_is_no_model(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "model").mkdir()
    path = good_file(tmp_path)
    message = refused(
        "respond", "--prompts", str(path), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out.jsonl")
    )
    assert message.startswith(f"{tmp_path / 'model'}: no config.json in it, so it is no model directory")


def test_hub_model_that_cannot_be_reached(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    path = good_file(tmp_path)
    message = refused(
        "respond", "--prompts", str(path), "--model", "nobody/nothing", "--out", str(tmp_path / "out.jsonl")
    )
    assert message.startswith("nobody/nothing: neither a directory here nor a model of the hub that can be reached")
    assert "\n" not in message


def test_bad_adapters(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    respond = ["respond", "--prompts", str(path), "--out", str(tmp_path / "out.jsonl"), "--adapter"]
    nowhere, empty, other = tmp_path / "nowhere", tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    configuration = {"base_model_name_or_path": "mistralai/Mistral-7B-v0.3", "peft_type": "LORA"}
    (other / "adapter_config.json").write_text(json.dumps(configuration))
    for directory in (nowhere, empty):
        message = refused(*respond, str(directory))
        assert message.startswith(f"{directory}: no adapter_config.json in it, so it is no adapter; name the directory")
    message = refused(*respond, str(other))
    assert message == f"{other}: no adapter_model.safetensors in it; save it as safetensors, or train it again"
    (other / "adapter_config.json").write_text(json.dumps(configuration | {"peft_type": "SHADOW"}))
    assert refused(*respond, str(other)) == f"{other}: is a PEFT adapter of type SHADOW; amends takes LORA alone"


@pytest.mark.parametrize("command", ["induce", "analyze", "respond", "train"])
def test_model_without_a_chat_template(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    kind, start = COMMANDS[command]
    model = model_without_template(tmp_path / "base")
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--model", str(model), "--out", str(tmp_path / "out.jsonl"))
    assert message.startswith(f"{model}: its tokenizer has no chat template, so it is a base model; use its instruct")


@pytest.mark.parametrize(
    ("command", "guide", "near"),
    [
        ("induce", "plane", "plain"),
        ("analyze", "told-sufix", "told-suffix"),
        ("answer", "remindr", "reminder"),
    ],
)
def test_unknown_guide(tmp_path: Path, refused: Callable[..., str], command: str, guide: str, near: str) -> None:
    kind, start = COMMANDS[command]
    path = good_file(tmp_path, kind)
    message = refused(*start, str(path), "--guide", guide, "--out", str(tmp_path / "out.jsonl"))
    assert f"{command}.guides: unknown " in message
    assert f"guide {guide!r}; did you mean {near!r}?" in message


def test_unknown_method(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    out = ["--instructions", str(path), "--out", str(tmp_path / "out.jsonl")]
    message = refused("compose", "--method", "mistake-analisys", *out)
    assert message.startswith("unknown method 'mistake-analisys'; did you mean 'mistake-analysis'? known: vanilla, sft")
    assert "nothing to compose" in refused("compose", "--method", "vanilla", *out)


def test_unknown_mistake_source_and_judge(tmp_path: Path, refused: Callable[..., str]) -> None:
    path, out = str(good_file(tmp_path)), ["--out", str(tmp_path / "out.jsonl")]
    assert "did you mean 'both'?" in refused("induce", "--instructions", path, "--source", "bot", *out)
    assert refused("induce", "--instructions", path, "--gate", "gatte", *out).startswith(
        "unknown judge 'gatte'; did you mean 'gate'? known: "
    )
    responses = str(good_file(tmp_path, "responses"))
    assert refused("judge", "--responses", responses, "--judge", "x", *out).startswith(
        "unknown judge 'x'; known: `gate`, `open-gate`"
    )
    assert f"{path}: is no probe" in refused("judge", "--responses", responses, "--judge", path, *out)


def test_training_on_samples_that_would_be_cut(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path, "samples")
    message = refused("train", "--samples", str(path), "--max-length", "12", "--out", str(tmp_path / "out.jsonl"))
    assert message.startswith("3 samples are longer than max_length 12, so their targets would be cut off")


# Files and directories that are not ours to overwrite.


def test_foreign_outputs_are_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    foreign = tmp_path / "thesis.jsonl"
    foreign.write_text("years of work\n")
    for command in ("respond", "judge"):
        kind, start = COMMANDS[command]
        message = refused(*start, str(good_file(tmp_path, kind)), "--out", str(foreign))
        assert message.startswith(f"{foreign}: exists and was not written by amends")


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"train"}))
def test_an_output_that_no_command_would_read_is_refused(
    tmp_path: Path, refused: Callable[..., str], command: str
) -> None:
    _, start = COMMANDS[command]
    for name in ("out", "out.txt", "out.jsonl.gz", "out.parquet", "out.CSV"):
        message = refused(*start, str(tmp_path / "missing.jsonl"), "--out", str(tmp_path / name))
        assert message.startswith(f"{tmp_path / name}: would not be read as lines of JSON; end the")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_the_input_is_refused(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    kind, start = COMMANDS[command]
    path = good_file(tmp_path, kind)
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl"):
        assert refused(*start, str(path), "--out", str(out)) == (
            f"{out}: is read here, and would be replaced; choose another output"
        )


@pytest.mark.parametrize("name", ["work", "work.part"])
def test_a_directory_that_is_not_ours_is_not_trained_over(
    name: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    work = tmp_path / name
    work.mkdir()
    (work / "thesis.tex").write_text("years of work\n")
    message = refused("train", "--samples", str(good_file(tmp_path, "samples")), "--out", str(tmp_path / "work"))
    assert message.startswith(f"{work}: exists and was not written by amends")
    assert (work / "thesis.tex").exists()


def test_an_output_below_a_file(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = good_file(tmp_path)
    out = path / "out.jsonl"
    message = refused("respond", "--prompts", str(path), "--out", str(out))
    assert message == f"{out}: a part of this path is a file, not a directory; choose another output"


@pytest.mark.parametrize("command", ["compose", "train"])
def test_names_that_are_too_long(tmp_path: Path, refused: Callable[..., str], command: str) -> None:
    kind, start = COMMANDS[command]
    long = str(tmp_path / ("n" * 300 + ".jsonl"))
    assert " too long; " in refused(*start, long, "--out", str(tmp_path / "out.jsonl"))
    assert " too long; " in refused(*start, str(good_file(tmp_path, kind)), "--out", long)


@pytest.mark.parametrize("out", ["", ".", "/"])
def test_an_output_without_a_name(tmp_path: Path, refused: Callable[..., str], out: str) -> None:
    for command in ("compose", "train"):
        kind, start = COMMANDS[command]
        message = refused(*start, str(good_file(tmp_path, kind)), "--out", out)
        assert message == f"{Path(out)}: is a directory; name an output in it"


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_files_of_stages_are_lines(tmp_path: Path, refused: Callable[..., str], ending: str) -> None:
    path = good_file(tmp_path, "responses", f"responses{ending}")
    message = refused("compare", str(path), str(path))
    assert message == f"{path}: is read as one JSON object a line; convert it to .jsonl"


def test_several_processes_are_refused(tmp_path: Path) -> None:
    """As a cluster starts them: they would hold each other up, or all use one GPU."""
    command = [sys.executable, "-m", "amends", "run", "quickstart", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=os.environ | {"WORLD_SIZE": "8"}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "amends works in several processes in a training alone" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["--epochs", "3"], "train.epochs"),
        (["--batch-size=3"], "train.batch_size"),
        (["--limt", "3"], "--limit"),
        (["--model", "x"], "'model'"),
    ],
)
def test_a_setting_is_no_option(arguments: list[str], meant: str, refused: Callable[..., str]) -> None:
    path = str(CONFIGS / "own.yaml")
    for line in ([*arguments, path], [path, *arguments]):
        assert refused("run", *line).endswith(f"did you mean {meant}?")
