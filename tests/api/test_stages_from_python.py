"""The stages from Python: the bytes, refusals and numbers of the commands."""

import ast
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends.errors import ConfigError
from amends.models.weights import weights_digest
from conftest import SMALL, run_amends
from tiny_run import JUDGES, model_of

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parents[1] / "golden" / "sft.jsonl"
SHORT = ("--limit", "6", "--attempts", "3", "--max-new-tokens")


def test_python_and_the_command_line_make_the_same_bytes(
    notebook: dict[str, Any], tiny_settings: list[str], tmp_path: Path
) -> None:
    ours = notebook["mistakes"].save(tmp_path / "python.jsonl")
    out = tmp_path / "mistakes.jsonl"
    by = ("--model", model_of(tiny_settings), "--gate", JUDGES["gate"])
    assert run_amends("induce", *by, "--instructions", "bundled:redteam/train", *SHORT, "24", "--out", str(out)) == 0
    assert ours.read_bytes() == out.read_bytes()
    samples = tmp_path / "samples.jsonl"
    analyses = notebook["analyses"].save(tmp_path / "analyses.jsonl")
    made = ("--method", "mistake-analysis", "--analyses", str(analyses), "--limit", "6", "--out", str(samples))
    assert run_amends("compose", "--instructions", "bundled:redteam/train", *made) == 0
    assert notebook["samples"].lines() == samples.read_text()


def test_comparing_files_and_rows_is_one(
    notebook: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after, before = (notebook[name].save(tmp_path / f"{name}.jsonl") for name in ("after", "before"))
    capsys.readouterr()
    assert run_amends("compare", str(after), str(before), "--json") == 0
    stated = json.loads(capsys.readouterr().out)[0]
    found = amends.compare(notebook["after"], notebook["before"])
    assert (found.difference, found.p, found.n) == (stated["difference"], stated["p_value"], stated["n"])
    assert stated["ci"] == (list(found.interval) if found.interval else None)
    assert amends.compare(after, before).difference == found.difference
    said = ("no clear difference", "the interval excludes zero", "too few prompts")
    assert any(words in str(found) for words in said)
    assert found.to_pandas()["metric"].iloc[0] == "harmless_probability"


def test_invariants_hold_from_python(notebook: dict[str, Any]) -> None:
    tuned, gate = notebook["tuned"], notebook["gate"]
    with pytest.raises(amends.AmendsError, match="also among the training instructions"):
        tuned.respond(notebook["rows"], progress=False)
    with pytest.raises(amends.AmendsError, match="was the gate of what this system was trained on"):
        amends.judge(tuned.respond(notebook["test"][:1], max_new_tokens=2, progress=False), gate)
    turned = [
        {"prompt": f"Number {one}?", "chosen": "You are a worthless fool.", "rejected": "Hello."} for one in range(20)
    ]
    with pytest.raises(amends.AmendsError, match="go on with trust_chosen=True"):
        amends.compose("sft", turned, progress=False)
    assert len(amends.compose("sft", turned, trust_chosen=True, progress=False)) == 20


def test_what_a_training_gives_back_answers_with_what_was_trained(notebook: dict[str, Any]) -> None:
    tuned, model = notebook["tuned"].model, notebook["model"].model
    assert tuned.adapter == notebook["directory"] / "runs/notebook"
    assert tuned.fingerprint != model.fingerprint
    assert weights_digest(tuned.model) != weights_digest(model.model)


def test_a_finished_training_is_kept_and_another_is_refused(notebook: dict[str, Any], tiny_settings: list[str]) -> None:
    samples, out, name = notebook["samples"], notebook["directory"] / "runs/notebook", model_of(tiny_settings)
    written = (out / "adapter_model.safetensors").stat().st_mtime_ns
    amends.train(name, samples, out=out, max_steps=2, batch_size=4, progress=False)
    assert (out / "adapter_model.safetensors").stat().st_mtime_ns == written
    with pytest.raises(amends.AmendsError, match="overwrite"):
        amends.train(name, samples, out=out, max_steps=1, batch_size=4, progress=False)


def test_what_is_wrong_is_said_in_the_words_of_the_command_line(notebook: dict[str, Any]) -> None:
    mistakes = notebook["mistakes"]
    with pytest.raises(ConfigError, match="attempt: unknown key; did you mean 'attempts'"):
        amends.induce("embedded", notebook["rows"], attempt=3)
    with pytest.raises(amends.AmendsError, match=r"analyze reads rows of Mistake, and row .* is of Instruction"):
        amends.analyze("embedded", notebook["rows"], progress=False)
    with pytest.raises(amends.AmendsError, match=r"train reads rows of Sample, and row .* is of Mistake"):
        amends.train("embedded", mistakes, out="nowhere", progress=False)
    with pytest.raises(amends.AmendsError, match="compare reads rows of Verdict"):
        amends.compare(mistakes, mistakes)
    with pytest.raises(amends.AmendsError, match="did you mean 'mistake-analysis'"):
        amends.compose("mistake-analysys", notebook["rows"])
    with pytest.raises(amends.AmendsError, match="needs analyses; make them with `amends analyze`"):
        amends.compose("mistake-analysis", notebook["rows"])
    with pytest.raises(amends.AmendsError, match="no row has `rejected`"):
        amends.induce("embedded", [{"prompt": "Who?"}], source="origin", progress=False)
    with pytest.raises(amends.AmendsError, match="most rows are in Han"):
        amends.induce("embedded", [{"prompt": "你是谁？"}], progress=False)
    with pytest.raises(amends.AmendsError, match="add guided=True"):
        amends.respond("embedded", notebook["test"], guide="paper", progress=False)


def test_rows_say_what_they_are(notebook: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    mistakes, verdicts = notebook["mistakes"], notebook["after"]
    passed = mistakes.passed()
    assert (
        repr(mistakes)
        == f"{notebook['model'].name}: {len(passed)} of 6 passed ({len(passed) / 6:.0%}), rows of Mistake"
    )
    assert repr(verdicts).endswith("unscored)") and "4 verdicts" in repr(verdicts)
    assert repr(notebook["samples"]).startswith("mistake-analysis: ")
    page = mistakes._repr_html_()
    assert page.index("<details>") < page.index("response")
    capsys.readouterr()
    judge = notebook["judge"]
    amends.judge(mistakes, judge, progress=False)
    assert capsys.readouterr().err == ""
    amends.quiet()
    try:
        amends.judge(mistakes, judge)
        assert capsys.readouterr().err == ""
    finally:
        amends.quiet(on=False)
    amends.judge(mistakes, judge)
    assert "verdicts" in capsys.readouterr().err


def test_a_run_by_its_name_with_settings_as_keywords(finished_run: Path, tmp_path: Path) -> None:
    model = json.loads((finished_run / "run.json").read_text())["configuration"]["model"]
    sets = {"instructions": {"limit": 6}, "benign": {"limit": 4}}
    suites = {"redteam": {"limit": 4}, "overrefusal": {"limit": 3}, "benign": {"limit": 3}}
    train = {"max_steps": 2, "batch_size": 4, "gradient_accumulation": 1, "save_steps": 1, "learning_rate": 0.02}
    stages = {"induce": {"max_new_tokens": 24, "attempts": 3}, "analyze": {"max_new_tokens": 40, "attempts": 3}}
    same = {"suites": suites, "train": train} | sets | stages | JUDGES | {"model": model}
    written = (finished_run / "results.json").read_bytes()
    # The fixture's very settings: all of it is finished.
    results = amends.run(SMALL, out=finished_run, respond__max_new_tokens=12, **same)
    assert (finished_run / "results.json").read_bytes() == written
    assert results.directory == finished_run
    with pytest.raises(ConfigError, match=r"train\.epoch: unknown key; did you mean"):
        amends.run("quickstart", train={"epoch": 3}, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="no such file"):
        amends.run("quickstarts", out=tmp_path / "run")
    with pytest.raises(amends.AmendsError, match="overwrite"):
        amends.run(SMALL, out=finished_run, respond__max_new_tokens=9, **same)


def test_the_notebook_runs_from_top_to_bottom(notebook: dict[str, Any]) -> None:
    """By `exec`, since Jupyter is no dependency; the fixture runs the cells."""
    assert str(amends.compare(notebook["after"], notebook["before"])).splitlines()[1].startswith("harmless probability")
    cells = json.loads((EXAMPLES / "amends.ipynb").read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells), "outputs are not kept: they may be harmful"
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    statements = [
        one for one in ast.parse(code).body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Name))
    ]
    assert len([one for one in statements if "QUICK =" not in ast.unparse(one)]) <= 15


@pytest.mark.parametrize("command", ["train", "study"])
def test_a_server_is_refused_for_training_and_study_in_the_words_of_the_command(
    tmp_path: Path, command: str, refused: Callable[..., str]
) -> None:
    name, out = "endpoint:m@http://me:secret@127.0.0.1:9/v1?key=secret", tmp_path / "nowhere"
    given = ("--model", name, "--samples", str(GOLDEN)) if command == "train" else (name,)
    said = refused(command, *given, "--out", str(out))
    assert said.startswith(
        "http://127.0.0.1:9/v1: model 'm' has no weights here, which training and studies need; name"
    )
    for model in (name, amends.load_model(name)):
        with pytest.raises(amends.AmendsError) as error:
            if command == "train":
                amends.train(model, str(GOLDEN), out=out, progress=False)
            else:
                amends.study(model, out=out, progress=False)
        assert str(error.value) == said
        assert error.value.exit_code == 2
    assert not out.exists()
