"""The whole run through the real entry point: what it writes, that it is skipped, resumed and redone as it should be."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from amends.data.rows import read_rows
from amends.judges.probe import Probe, bundled_probe_path
from amends.models.chat import render
from amends.models.loading import find_model, load_tokenizer
from amends.records import Analysis, Message, Mistake, Sample
from conftest import CONFIGS, TINY, run_amends

QUICKSTART = str(CONFIGS / "quickstart.yaml")


def results_of(directory: Path) -> dict:
    return json.loads((directory / "results.json").read_text())


def record_bytes(directory: Path) -> dict[str, bytes]:
    """All that must be the same in an interrupted and in an uninterrupted run."""
    patterns = ("**/*.jsonl", "**/adapter_model.safetensors", "results.json", "**/training.json")
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for pattern in patterns
        for path in sorted(directory.glob(pattern))
    }


def test_run_writes_every_public_file(finished_run: Path) -> None:
    names = ("run.json", "instructions.jsonl", "mistakes.jsonl", "analyses.jsonl", "results.json", "report.html")
    for name in names:
        assert (finished_run / name).stat().st_size > 0, name
    for method in ("sft", "mistake-analysis"):
        adapter = finished_run / method / "adapter"
        assert json.loads((adapter / "adapter_config.json").read_text())["peft_type"] == "LORA"
        assert (adapter / "adapter_model.safetensors").exists()
        assert [
            entry["step"] for entry in json.loads((finished_run / method / "training.json").read_text())["log"]
        ] == [1, 2]
    assert not list(finished_run.glob("**/*.part")), "nothing half written is left"


def test_results_have_a_row_for_every_system_and_suite(finished_run: Path) -> None:
    results = results_of(finished_run)
    found = {(row["method"], row["inference"], row["suite"]) for row in results["systems"]}
    methods, suites = ("vanilla", "sft", "mistake-analysis"), ("redteam", "overrefusal", "benign")
    assert found == {(m, i, s) for m in methods for i in ("guided", "unguided") for s in suites}
    claim = ("mistake-analysis/guided", "vanilla/unguided", "redteam", "harmless_rate")
    assert claim in {(row["a"], row["b"], row["suite"], row["metric"]) for row in results["comparisons"]}
    assert results["judges"]["agreement"]["rows"] == 6


def test_one_record_for_each_instruction(finished_run: Path) -> None:
    mistakes = list(read_rows(finished_run / "mistakes.jsonl", Mistake))
    analyses = list(read_rows(finished_run / "analyses.jsonl", Analysis))
    assert len(mistakes) == 6
    assert [row.id for row in mistakes] == [row.id for row in analyses]
    passed = sum(row.passed for row in analyses)
    samples = list(read_rows(finished_run / "mistake-analysis" / "samples.jsonl", Sample))
    assert sum(sample.kind == "analysis" for sample in samples) == passed


def test_a_finished_run_is_skipped(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = record_bytes(finished_run)
    assert run_amends("run", QUICKSTART, *TINY, "--out", str(finished_run)) == 0
    said = capsys.readouterr().err
    assert "mistakes: finished, skipped" in said
    assert "mistake-analysis: training: finished, skipped" in said
    assert record_bytes(finished_run) == before


def test_all_weights_are_trained_and_measured_without_benign_rows(tmp_path: Path) -> None:
    more = ["train.adapter=full", "train.learning_rate=1e-4", "benign=null", "methods=[sft]"]
    suites = ["suites.overrefusal=null", "suites.benign=null"]
    assert run_amends("run", QUICKSTART, *TINY, *more, *suites, "--out", str(tmp_path / "run")) == 0
    assert (tmp_path / "run/sft/model/model.safetensors").exists()
    assert not (tmp_path / "run/sft/adapter").exists()
    assert {row["method"] for row in results_of(tmp_path / "run")["systems"]} == {"sft"}


def test_what_the_model_is_deployed_with_is_trained_on_and_measured_with(finished_run: Path, tmp_path: Path) -> None:
    prompt, out = "You answer the mail of a garden centre.", tmp_path / "run"
    asked = [Message(role="user", content="Hello.")]
    told, untold = (load_tokenizer(find_model("embedded", text)) for text in (prompt, None))
    longer = len(told(render(asked, told, True)).input_ids) - len(untold(render(asked, untold, True)).input_ids)
    more = ["methods=[sft]", "suites.overrefusal=null", "suites.benign=null", "respond.inference=[unguided]"]
    assert run_amends("run", QUICKSTART, *TINY, *more, f"system_prompt={prompt}", "--out", str(out)) == 0
    tokens = [json.loads((one / "sft/training.json").read_text()) for one in (out, finished_run)]
    assert tokens[0]["tokens_per_epoch"] - tokens[1]["tokens_per_epoch"] == tokens[0]["samples"] * longer != 0
    answers = [(one / "sft/unguided.redteam.responses.jsonl").read_bytes() for one in (out, finished_run)]
    assert answers[0] != answers[1]
    assert json.loads((out / "run.json").read_text())["configuration"]["system_prompt"] == prompt


def test_changed_setting_redoes_its_stage_and_says_so(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "copy"
    shutil.copytree(finished_run, directory)
    assert run_amends("run", QUICKSTART, *TINY, "compose.benign=0.5", "--out", str(directory)) == 0
    said = capsys.readouterr().err
    assert "analyses: finished, skipped" in said
    assert "sft: samples: made anew, since its settings changed" in said
    assert "sft: training: made anew, since its inputs changed" in said
    assert "vanilla unguided: redteam: finished, skipped" in said


def test_another_judge_is_compared_with_the_bundled_probe(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, severe = tmp_path / "copy", tmp_path / "severe.safetensors"
    probe = Probe.load(bundled_probe_path("evaluation"))
    replace(probe, bias=probe.bias - 1).save(severe)
    shutil.copytree(finished_run, directory)
    verdicts_anew = False
    for said in ("judges' agreement: made anew", "agreement with the probe: finished, skipped"):
        assert run_amends("run", QUICKSTART, *TINY, f"judge={severe}", "--out", str(directory)) == 0
        told = capsys.readouterr().err
        assert said in told
        verdicts_anew |= "vanilla guided: verdicts on redteam: made anew, since its judge changed" in told
    judges = results_of(directory)["judges"]
    found = judges["agreement-with-probe"]
    assert found == json.loads((directory / "agreement-with-probe.json").read_text())
    assert found["rows"] + found["unscored"] == 8, "vanilla's four, plain and with the reminder"
    assert found["harmful_by_evaluation"] >= found["harmful_by_probe"]
    assert verdicts_anew, "another judge's verdicts"
    assert "harmful_by_probe" in (directory / "report.html").read_text()
    assert "agreement-with-probe" not in results_of(finished_run)["judges"]
    assert run_amends("run", QUICKSTART, *TINY, "--out", str(directory)) == 0
    assert results_of(directory)["judges"] == results_of(finished_run)["judges"], "what lies there is another judge's"


def test_a_run_that_is_killed_again_and_again_ends_with_the_same_bytes(finished_run: Path, tmp_path: Path) -> None:
    directory = tmp_path / "killed"
    command = [sys.executable, "-m", "amends", "run", QUICKSTART, *TINY, "--out", str(directory)]
    for moment in (
        "mistakes.jsonl.part",
        "sft/adapter.part/checkpoint-1",
        "mistake-analysis/unguided.redteam.responses.jsonl",
    ):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while not (directory / moment).exists():
            assert process.poll() is None, "ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (directory / "results.json").exists()
    assert run_amends("run", QUICKSTART, *TINY, "--out", str(directory)) == 0
    assert record_bytes(directory) == record_bytes(finished_run)
