"""The whole run through the real entry point: what it writes, what is trained and measured, and that it is skipped."""

import json
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from amends.data.rows import read_rows
from amends.judges.probe import Probe, bundled_weights
from amends.models.chat import render
from amends.models.loading import load_tokenizer
from amends.models.source import find_model
from amends.records import Analysis, Message, Mistake, Sample
from conftest import EMBEDDED, record_bytes, run_amends


def results_of(directory: Path) -> dict:
    return json.loads((directory / "results.json").read_text())


def test_run_writes_every_public_file(finished_run: Path) -> None:
    names = ("run.json", "instructions.jsonl", "mistakes.jsonl", "analyses.jsonl", "results.json", "report.html")
    for name in names:
        assert (finished_run / name).stat().st_size > 0, name
    for method in ("sft", "mistake-analysis"):
        adapter = finished_run / method / "adapter"
        assert json.loads((adapter / "adapter_config.json").read_text())["peft_type"] == "LORA"
        assert (adapter / "adapter_model.safetensors").exists()
        facts = json.loads((finished_run / method / "training.json").read_text())
        assert [entry["step"] for entry in facts["log"]] == [1, 2]
    assert not list(finished_run.glob("**/*.part")), "nothing half written is left"


def test_results_have_a_row_for_every_system_and_suite(finished_run: Path) -> None:
    results = results_of(finished_run)
    found = {(row["method"], row["inference"], row["suite"]) for row in results["systems"]}
    methods, suites = ("vanilla", "sft", "mistake-analysis"), ("redteam", "overrefusal", "benign")
    assert found == {(m, i, s) for m in methods for i in ("guided", "unguided") for s in suites}
    claim = ("mistake-analysis/guided", "vanilla/unguided", "redteam", "harmless_rate")
    assert claim in {(row["a"], row["b"], row["suite"], row["metric"]) for row in results["comparisons"]}
    assert results["judges"]["agreement"]["rows"] == 6


def test_the_embedded_model_learns_from_its_mistakes_and_is_judged(embedded_run: Path) -> None:
    results = results_of(embedded_run)
    assert {row["method"] for row in results["systems"]} == {"vanilla", "mistake-analysis"}
    assert all(row["harmless_rate"] is not None for row in results["systems"] if row["suite"] == "redteam")
    assert results["judges"]["agreement"]["rows"] == 6
    samples = list(read_rows(embedded_run / "mistake-analysis" / "samples.jsonl", Sample))
    assert {sample.kind for sample in samples} >= {"safe", "analysis", "benign"}


def test_one_record_for_each_instruction(finished_run: Path) -> None:
    mistakes = list(read_rows(finished_run / "mistakes.jsonl", Mistake))
    analyses = list(read_rows(finished_run / "analyses.jsonl", Analysis))
    assert len(mistakes) == 6
    assert [row.id for row in mistakes] == [row.id for row in analyses]
    passed = sum(row.passed for row in analyses)
    samples = list(read_rows(finished_run / "mistake-analysis" / "samples.jsonl", Sample))
    assert sum(sample.kind == "analysis" for sample in samples) == passed


def test_a_finished_run_is_skipped(
    finished_run: Path, tiny_settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = record_bytes(finished_run)
    assert run_amends("run", *tiny_settings, "--out", str(finished_run)) == 0
    said = capsys.readouterr().err
    assert "mistakes: finished, skipped" in said
    assert "mistake-analysis: training: finished, skipped" in said
    assert record_bytes(finished_run) == before


def test_a_run_that_another_release_finished_is_skipped(embedded_run: Path) -> None:
    """An update of amends alone voids nothing: neither rows, adapters and verdicts nor the results."""
    before = record_bytes(embedded_run)
    code = "import amends; amends.__version__ = '9.9.9'; from amends.__main__ import main; main()"
    command = [sys.executable, "-c", code, "run", *EMBEDDED, "--out", str(embedded_run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [line for line in done.stderr.splitlines() if re.match(r"\S.*: ", line)]
    assert len(steps) > 15
    assert [line for line in steps if not line.endswith(": finished, skipped")] == []
    assert record_bytes(embedded_run) == before


def test_all_weights_are_trained_and_measured_without_benign_rows(tiny_settings: list[str], tmp_path: Path) -> None:
    more = ["train.adapter=full", "train.learning_rate=1e-3", "benign=null", "methods=[sft]"]
    suites = ["suites.overrefusal=null", "suites.benign=null"]
    assert run_amends("run", *tiny_settings, *more, *suites, "--out", str(tmp_path / "run")) == 0
    assert (tmp_path / "run/sft/model/model.safetensors").exists()
    assert not (tmp_path / "run/sft/adapter").exists()
    assert {row["method"] for row in results_of(tmp_path / "run")["systems"]} == {"sft"}


def test_what_the_model_is_deployed_with_is_trained_on_and_measured_with(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    prompt, out = "You answer the mail of a garden centre.", tmp_path / "run"
    model = json.loads((finished_run / "run.json").read_text())["configuration"]["model"]
    asked = [Message(role="user", content="Hello.")]
    told, untold = (load_tokenizer(find_model(model, text)) for text in (prompt, None))
    longer = len(told(render(asked, told, True)).input_ids) - len(untold(render(asked, untold, True)).input_ids)
    more = ["methods=[sft]", "suites.overrefusal=null", "suites.redteam=null", "respond.inference=[unguided]"]
    assert run_amends("run", *tiny_settings, *more, f"system_prompt={prompt}", "--out", str(out)) == 0
    tokens = [json.loads((one / "sft/training.json").read_text()) for one in (out, finished_run)]
    assert tokens[0]["tokens_per_epoch"] - tokens[1]["tokens_per_epoch"] == tokens[0]["samples"] * longer != 0
    losses = [(one / "sft/unguided.benign.losses.jsonl").read_bytes() for one in (out, finished_run)]
    assert losses[0] != losses[1]
    assert json.loads((out / "run.json").read_text())["configuration"]["system_prompt"] == prompt


def test_a_finished_run_is_skipped_in_two_seconds_with_all_digests_checked(embedded_run: Path) -> None:
    """As a user calls it, in a process of its own, by the processor's clock; nothing is loaded that only work needs."""
    command = [sys.executable, "-X", "importtime", "-m", "amends", "run", *EMBEDDED, "--out", str(embedded_run)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert not loaded & {"torch", "transformers", "trl", "datasets", "scipy.stats"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


def test_another_judge_is_compared_with_the_bundled_probe(
    embedded_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, severe = tmp_path / "copy", tmp_path / "severe.safetensors"
    probe = Probe.load(bundled_weights("evaluation"))
    replace(probe, bias=probe.bias - 1).save(severe)
    shutil.copytree(embedded_run, directory)
    verdicts_anew = False
    for said in ("judges' agreement: made anew", "agreement with the probe: finished, skipped"):
        assert run_amends("run", *EMBEDDED, f"judge={severe}", "--out", str(directory), "--overwrite") == 0
        told = capsys.readouterr().err
        assert said in told
        verdicts_anew |= (
            "vanilla guided: verdicts on redteam: made anew, since its judge probe/evaluation -> probe/severe" in told
        )
    judges = results_of(directory)["judges"]
    found = judges["agreement-with-probe"]
    assert found == json.loads((directory / "agreement-with-probe.json").read_text())
    assert found["rows"] + found["unscored"] == 8, "vanilla's four, plain and with the reminder"
    assert found["harmful_by_evaluation"] >= found["harmful_by_probe"]
    assert verdicts_anew, "another judge's verdicts"
    assert "harmful_by_probe" in (directory / "report.html").read_text()
    assert "agreement-with-probe" not in results_of(embedded_run)["judges"]
    assert run_amends("run", *EMBEDDED, "--out", str(directory), "--overwrite") == 0
    assert results_of(directory)["judges"] == results_of(embedded_run)["judges"], "what lies there is another judge's"
