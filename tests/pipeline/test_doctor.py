"""What is in the way of a run is said before it, a line each with its remedy; what is fine is said, too."""

import importlib.metadata
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import amends
from amends.errors import ConfigError
from amends.pipeline.doctor.finding import Diagnosis, Finding, looked
from conftest import run_amends

Told = Callable[..., dict[str, Any]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Gives the findings of a call, by what was looked at."""

    def call(*arguments: str, code: int = 0) -> dict[str, Any]:
        assert run_amends("doctor", *arguments, "--json") == code
        content = json.loads(capsys.readouterr().out)
        assert content["passed"] == (code == 0)
        return {one["what"]: one for one in content["findings"]}

    return call


def test_this_machine_alone(told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    found = told()
    assert found["amends"]["found"] == amends.__version__
    assert found["torch"]["found"] == importlib.metadata.version("torch")
    assert found["device"]["found"] == "cpu"
    assert {"processor", "memory", "precision", "embedded model", "cache", "disk space"} <= found.keys()
    assert run_amends("doctor") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found) + 1 and lines[-1] == "nothing is in the way"


def test_a_library_that_does_not_fit_is_in_the_way(told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "peft-0.0.1.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: peft\nVersion: 0.0.1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    peft = told(code=1)["peft"]
    assert peft["state"] == "stop" and peft["found"].startswith("0.0.1 does not fit >=")
    assert peft["remedy"].startswith("pip install 'peft>=")


def test_a_configuration_that_can_be_run(
    told: Told, tiny_settings: list[str], serve: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve(lambda question, body: (200, "Because it hurts."))
    analyst = [f"analyze.source=endpoint:writer@{server.url}", "analyze.guides=[told-suffix]"]
    found = told(*tiny_settings, *analyst, "--out", str(tmp_path / "run"))
    assert all(one["state"] != "stop" for one in found.values())
    assert found["chat template"]["state"] == found["mask"]["state"] == "ok"
    assert found["mask"]["found"].startswith("loss on 'It is 2.<|im_end|>' alone")
    assert "writer at 127.0.0.1: 5 tokens in " in found["server"]["found"]
    assert found["judge"]["state"] == "note" and "amends probe validate" in found["judge"]["remedy"]
    assert {"longest training row", "context", "memory to answer", "memory to train", "time"} <= found.keys()
    assert not (tmp_path / "run").exists()


class Usage(NamedTuple):
    free: int


def test_all_that_is_in_the_way_is_said_with_its_remedy(
    told: Told, tiny_settings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.pipeline.doctor.room.memory_bytes", lambda device: 1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1_000))
    overlap = ["suites.redteam.source=bundled:redteam/train", "suites.redteam.limit=null"]
    found = told(*tiny_settings, *overlap, "train.target_modules=[no_proj]", "respond.max_new_tokens=4000", code=1)
    assert {what for what, one in found.items() if one["state"] == "stop"} == {
        *("memory to answer", "memory to train", "disk space", "refused", "rows"),
    }
    assert "train.micro_batch_tokens" in found["memory to train"]["remedy"]
    assert "--out" in found["disk space"]["remedy"]
    assert "no_proj" in found["refused"]["found"]
    assert "evaluation prompts are also among the training instructions" in found["rows"]["found"]
    assert found["context"]["state"] == "note" and "lower respond.max_new_tokens" in found["context"]["remedy"]


def test_a_tokenizer_that_changes_texts_is_noted(told: Told, tiny_settings: list[str], tmp_path: Path) -> None:
    (place,) = (number for number, one in enumerate(tiny_settings) if one.startswith("model="))
    model = tmp_path / "model"
    shutil.copytree(tiny_settings[place].removeprefix("model="), model)
    content = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    content["normalizer"] = {"type": "Lowercase"}
    (model / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    found = told(*tiny_settings[:place], f"model={model}", *tiny_settings[place + 1 :])
    assert found["chat template"]["state"] == "note"
    assert found["chat template"]["found"] == "tokens become another text: 'You are a he' is 'you are a he'"
    assert found["mask"]["found"].startswith("loss on 'it is 2.<|im_end|>' alone")


def test_what_cannot_be_found_ends_the_look(told: Told) -> None:
    found = told("quickstart", "model=/nowhere", code=1)
    assert found["configuration"]["found"].startswith("/nowhere: no such directory; name ")
    assert "judge" not in found


def test_from_python_what_variants_have_in_common_is_said_once() -> None:
    two = {"first": {"train.epochs": 1}, "second": {"train.epochs": 2, "analyze.source": "/elsewhere"}}
    found = amends.doctor("quickstart", model="/nowhere", variants=two, primary=None)
    assert not found.passed
    stops = [(one.what, one.found.partition(":")[0]) for one in found.findings if one.state == "stop"]
    assert stops == [("first: configuration", "/nowhere"), ("second: configuration", "/elsewhere")]
    assert str(found).splitlines()[-1] == "2 in the way: the lines that begin with stop"


def test_each_problem_of_several_is_a_finding() -> None:
    def look() -> None:
        raise ConfigError("configuration", ["a: is\n  wrong", "b: too"])

    found = Diagnosis(tuple(looked("configuration", look)))
    assert found.findings == (
        Finding("configuration", "stop", "a: is wrong"),
        Finding("configuration", "stop", "b: too"),
    )
