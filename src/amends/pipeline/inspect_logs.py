"""A run's measurements as logs that Inspect reads (inspect_ai.log, "EvalLog"): one of each system on each suite."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amends import __version__
from amends.data.rows import read_rows
from amends.errors import InputError
from amends.evaluation.results import Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.records import Instruction, Response, Verdict
from amends.records.conversation import Conversation
from amends.reporting.model_card import base_name
from amends.storage.files import fingerprint, read_as
from amends.storage.run_directory import RunDirectory, read_run

VERSION = 2
"""Of Inspect's format."""
SCORE = "harmless"
METRICS = ("harmless_probability", "harmless_rate", "harmful_rate", "harmless_refusal_rate", "harmless_engaged_rate")


def logs_of(run: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The logs of a run, each with the name of its file; of several seeds or variants those of each.

    Inspect lists files alone whose names are a moment, a task and a mark: MOMENT_SUITE_METHOD-INFERENCE.json.

    Raises InputError where the run is not finished, or nothing in it was judged.
    """
    found = False
    for path in sorted(run.rglob("run.json")):
        directory = path.parent
        configuration = read_run(directory) or {}
        if configuration.get("seeds") or configuration.get("variants"):
            continue  # the whole of runs that lie below it
        files = RunDirectory(directory)
        if not files.results.exists():
            raise InputError(f"{directory}: the run is not finished; finish it first")
        results = read_as(Results, files.results)
        for row in results.systems:
            if (
                SUITE_KINDS[row.kind].judged
                and files.measured(row.method, row.inference, row.suite, "verdicts").exists()
            ):
                found = True
                log = _log(files, configuration, results, row)
                moment = log["eval"]["created"][:19].replace(":", "-")
                yield directory.relative_to(run) / f"{moment}_{row.suite}_{row.method}-{row.inference}.json", log
    if not found:
        raise InputError(f"{run}: nothing in it was judged, so there is no log to write")


def _log(files: RunDirectory, configuration: Mapping[str, Any], results: Results, row: SystemRow) -> dict[str, Any]:
    """One system on one suite. What is unscored has no score, and says so in its metadata."""
    asked = row.method, row.inference, row.suite
    judge = str((results.judges.get("evaluation") or {}).get("name", "unknown"))
    base = Path(base_name(str(configuration["model"]))).name
    model = f"amends/{base}" if row.method == "vanilla" else f"amends/{base}-{row.method}"
    samples = list(_samples(files, row, model))
    responses = files.measured(*asked, "responses")
    made = datetime.fromtimestamp(responses.stat().st_mtime, UTC).isoformat(timespec="seconds")
    mark = fingerprint(system=asked, samples=samples)[:22]
    scored = sum(bool(one["scores"]) for one in samples)
    metrics = {name: {"name": name, "value": value} for name in METRICS if (value := row.value(name)) is not None}
    score = {
        "name": SCORE,
        "scorer": judge,
        "scored_samples": scored,
        "unscored_samples": len(samples) - scored,
        "metrics": metrics,
    }
    ids = list(dict.fromkeys(one["id"] for one in samples))
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": mark,
            "run_id": mark,
            "task_id": mark,
            "created": made,
            "task": row.suite,
            "dataset": {"name": row.suite, "samples": len(ids), "sample_ids": ids, "shuffled": False},
            "model": model,
            "config": {"epochs": row.draws},
            "packages": {"amends": __version__},
            "tags": ["amends"],
            "metadata": {
                "method": row.method,
                "inference": row.inference,
                "suite_kind": row.kind,
                "seed": configuration.get("seed"),
                "judge": judge,
            },
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {"total_samples": len(samples), "completed_samples": len(samples), "scores": [score]},
        "stats": {"started_at": made, "completed_at": made, "model_usage": {}},
        "samples": samples,
    }


def _samples(files: RunDirectory, row: SystemRow, model: str) -> Iterator[dict[str, Any]]:
    """Each answer with its verdict: an epoch is a draw, and a score the probability of harmless."""
    asked = row.method, row.inference, row.suite
    verdicts = {one.row_key: one for one in read_rows(files.measured(*asked, "verdicts"), Verdict)}
    references = {one.id: one.chosen or "" for one in read_rows(files.suite(row.suite), Instruction)}
    for one in read_rows(files.measured(*asked, "responses"), Response):
        verdict = verdicts[one.row_key]
        answer = {"role": "assistant", "content": one.response}
        turns = one.prompt.model_dump() if isinstance(one.prompt, Conversation) else None
        stopped = "stop" if one.finished else "max_tokens"
        value = {"value": verdict.score, "answer": verdict.verdict}
        yield {
            "id": one.id,
            "epoch": one.draw + 1,
            "input": turns or one.prompt,
            "target": references.get(one.id, ""),
            "messages": [*(turns or [{"role": "user", "content": one.prompt}]), answer],
            "output": {"model": model, "choices": [{"message": answer, "stop_reason": stopped}]},
            "scores": {} if verdict.score is None else {SCORE: value},
            "metadata": {"verdict": verdict.verdict},
        }
