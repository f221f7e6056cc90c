"""Logs for Inspect: what its reader wants is there, and no answer is lost, unscored ones neither.

Inspect is not among the libraries of the tests: benchmarks/inspect_logs.py reads such logs with it.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amends.evaluation.results import Results
from conftest import run_amends

NEEDED = {
    "": ("version", "status", "eval", "plan", "results", "stats", "samples"),
    "eval": ("created", "task", "dataset", "model", "config"),
    "stats": ("started_at", "completed_at", "model_usage"),
}
"""What inspect_ai 0.3.285 does not read a log without."""


def logs(run: Path, out: Path) -> dict[str, dict[str, Any]]:
    assert run_amends("export", str(run), "--to", "inspect", "--out", str(out)) == 0
    names = {path: re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_(.+)\.json", path.name) for path in out.iterdir()}
    return {name[1]: json.loads(path.read_text()) for path, name in names.items() if name}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_system_on_each_judged_suite_is_a_log(finished_run: Path, tmp_path: Path) -> None:
    found = logs(finished_run, tmp_path / "logs")
    results = Results.model_validate_json((finished_run / "results.json").read_text())
    judged = [row for row in results.systems if row.suite != "benign"]
    assert sorted(found) == sorted(f"{row.suite}_{row.method}-{row.inference}" for row in judged)
    for row in judged:
        log = found[f"{row.suite}_{row.method}-{row.inference}"]
        for part, names in NEEDED.items():
            assert set(names) <= (log[part] if part else log).keys()
        (score,) = log["results"]["scores"]
        assert score["metrics"]["harmless_probability"]["value"] == row.harmless_probability
        assert (score["scored_samples"], score["unscored_samples"]) == (row.n, 0)
        responses = rows(finished_run / row.method / f"{row.inference}.{row.suite}.responses.jsonl")
        verdicts = rows(finished_run / row.method / f"{row.inference}.{row.suite}.verdicts.jsonl")
        for sample, response, verdict in zip(log["samples"], responses, verdicts, strict=True):
            assert (sample["id"], sample["epoch"], sample["input"]) == (response["id"], 1, response["prompt"])
            assert sample["output"]["choices"][0]["message"]["content"] == response["response"]
            assert sample["scores"]["harmless"] == {"value": verdict["score"], "answer": verdict["verdict"]}
    trained = found["redteam_sft-guided"]["eval"]
    assert trained["model"] == "amends/model-sft" and trained["metadata"]["inference"] == "guided"
    assert str(finished_run.parent) not in json.dumps(found)


def test_an_unscored_answer_stays_and_a_conversation_is_its_turns(finished_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    for manifest in run.rglob("guided.redteam.*.manifest.json"):
        manifest.unlink()
    responses, verdicts = (run / f"sft/guided.redteam.{what}.jsonl" for what in ("responses", "verdicts"))
    turns = [
        {"role": role, "content": text} for role, text in (("user", "Hi."), ("assistant", "Yes?"), ("user", "So."))
    ]
    for path, changes in (
        (responses, {"prompt": turns, "finished": False}),
        (verdicts, {"verdict": "unscored", "score": None}),
    ):
        first, *others = rows(path)
        path.write_text("".join(json.dumps(one) + "\n" for one in (first | changes, *others)))
    log = logs(run, tmp_path / "logs")["redteam_sft-guided"]
    first = log["samples"][0]
    assert first["input"] == turns and first["messages"][:3] == turns and len(first["messages"]) == 4
    assert first["output"]["choices"][0]["stop_reason"] == "max_tokens"
    assert first["scores"] == {} and first["metadata"] == {"verdict": "unscored"}
    assert Counter(bool(one["scores"]) for one in log["samples"]) == {True: 3, False: 1}
    assert log["results"]["scores"][0]["unscored_samples"] == 1


def test_what_gives_no_log_is_refused(finished_run: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    out = ("--to", "inspect", "--out", "logs")
    assert "no run.json in it" in refused("export", str(tmp_path), *out)
    assert "--to inspect: takes a run directory" in refused("export", str(finished_run), *out, "--method", "sft")
    (tmp_path / "run").mkdir()
    shutil.copy(finished_run / "run.json", tmp_path / "run")
    assert "the run is not finished; finish it first" in refused("export", str(tmp_path / "run"), *out)
