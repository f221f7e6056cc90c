"""Losses are reported to what `train.report_to` names, by a stand-in of trackio; nothing else changes by it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from amends.pipeline.deployment import deployment_of
from amends.training.trackers import reported
from conftest import contents, record_bytes, run_amends
from tiny_run import model_of

STAND_IN = '''
"""As much of trackio as transformers' callback calls: what it is told goes to a file beside it."""
import json
from pathlib import Path
from types import SimpleNamespace

told = Path(__file__).with_name("told.jsonl")
unset = SimpleNamespace(get=lambda: None)
context_vars = SimpleNamespace(current_space_id=unset, current_run=unset)
Config = type("Config", (dict,), {"update": lambda self, *_, **__: None})
config = Config()

def log(values):
    with told.open("a") as file:
        file.write(json.dumps(values) + "\\n")

def init(**options):
    print("trackio prints")
    log({"init": options})

def finish():
    log({"finished": True})
'''


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What the stand-in was told."""
    package = tmp_path / "packages" / "trackio"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(package.parent)
    yield package / "told.jsonl"
    sys.modules.pop("trackio", None)


def test_losses_are_reported_and_the_bytes_are_those_of_before(
    finished_run: Path, told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = deployment_of(str(finished_run)).model
    train = ["train", "--samples", str(finished_run / "sft/samples.jsonl"), "--model", model, "--batch-size", "4"]
    train += ["--max-steps", "2", "--json", "--out"]
    assert run_amends(*train, str(tmp_path / "silent/adapter")) == 0
    assert not told.exists()
    capsys.readouterr()
    assert run_amends(*train, str(tmp_path / "runs/mine/adapter"), "--report-to", "trackio") == 0
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert "trackio prints" in printed.err
    begun, *steps, finished = (json.loads(line) for line in told.read_text().splitlines())
    assert (begun["init"]["name"], begun["init"]["space_id"]) == ("runs-mine", None)
    assert finished == {"finished": True}
    losses = [one["train/loss"] for one in steps if "train/loss" in one]
    assert losses == pytest.approx([one["loss"] for one in facts["log"]], abs=1e-6) and len(losses) == 2
    silent, reporting = (contents(tmp_path / name) for name in ("silent", "runs/mine"))
    assert silent.keys() == reporting.keys(), "nothing is left beside it"
    for name in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json"):
        assert silent[name] == reporting[name]
    marks = [json.loads(one["adapter.manifest.json"])["fingerprint"] for one in (silent, reporting)]
    assert marks[0] == marks[1]


def test_a_run_of_wandb_ends_with_its_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the next method's steps would go to it, and what it prints as the process ends to standard output."""
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(finish=lambda: print("wandb: where the run lies")))
    with reported(["wandb"], tmp_path / "adapter"):
        assert capsys.readouterr().err == ""
    assert tuple(capsys.readouterr()) == ("", "wandb: where the run lies\n")


def test_the_offline_mode_of_wandb_is_not_told_on_standard_output() -> None:
    code = "from amends.models.libraries import quiet_libraries; quiet_libraries(); import transformers.trainer"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"WANDB_MODE": "offline"}, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout == ""
    assert "WANDB offline" in done.stderr, "transformers says nothing of it any more: libraries.py need not care"


def test_a_finished_run_stays_finished_where_it_is_to_report(
    finished_run: Path, told: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.suffix in (".jsonl", ".safetensors")}
    records = record_bytes(run)
    assert run_amends("run", *tiny_settings, "train.report_to=[trackio]", "--out", str(run)) == 0
    assert record_bytes(run) == records and {path: path.stat().st_mtime_ns for path in before} == before
    assert not told.exists()


def test_a_package_that_is_not_installed_is_named_before_anything_is_spent(
    finished_run: Path, tiny_settings: list[str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.training.trackers.find_spec", lambda name: None)
    expected = "train.report_to: not installed: wandb, mlflow; give pip install 'amends[trackers]', or leave it out"
    samples, model = str(finished_run / "sft/samples.jsonl"), model_of(tiny_settings)
    train = ("train", "--samples", samples, "--model", model, "--report-to", "wandb", "--report-to", "mlflow")
    assert refused(*train, "--out", "adapter") == expected
    assert expected in refused("run", *tiny_settings, "train.report_to=[wandb, mlflow]", "--out", "run")
    assert "--report-to" in refused(*train[:-1], "mlflows", "--out", "adapter")
