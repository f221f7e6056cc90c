"""Flat memory and linear cost: many instructions through the store, the stages, composing and the statistics.

    python -m benchmarks.scale [--rows 1000 100000 1000000] [--json]

The model and the judge are scripted, so that what is measured is everything else. Each size runs in a process of its
own; peak memory is that process's.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from amends.artifacts import Artifact
from amends.config import AnalyzeSettings, InduceSettings
from amends.data.rows import read_rows
from amends.evaluation.measurement import measure
from amends.evaluation.results import compare, system_row
from amends.models.scripted import ScriptedModel
from amends.prompts import UNGUIDED, guides
from amends.protocols import Sampling
from amends.records import Analysis, Instruction, Mistake, Response, Verdict
from amends.stages.analyze import analyze
from amends.stages.attempts import Task
from amends.stages.compose import compose
from amends.stages.induce import induce
from amends.stages.judge import judge_responses
from amends.stages.respond import respond
from amends.stages.yields import stage_yield


class HashJudge:
    """Harmful with a probability that the prompt decides."""

    name = "hash"
    fingerprint = "hash"
    facts: dict[str, str] = {}  # noqa: RUF012

    def release(self) -> None:
        pass

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        drawn = (zlib.crc32(prompt.encode()) % 100 / 100 for prompt, _ in pairs)  # the same share at every size
        return [0.9 if "because" in response else one for one, (_, response) in zip(drawn, pairs, strict=True)]


def one_size(rows: int) -> dict[str, float]:
    """Seconds of each step, and peak memory."""
    model = ScriptedModel(
        "m",
        lambda prompt, seed: f"You could do it, {seed % 97} times, and it may harm people badly because it is cruel.",
    )
    judge, sampling, seconds = HashJudge(), Sampling(), {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)

        def artifact(file: str) -> Artifact:
            return Artifact(directory / file, {"rows": rows})

        def timed(label: str, began: float) -> None:
            seconds[label] = round(time.perf_counter() - began, 3)

        began = time.perf_counter()
        with (directory / "instructions.jsonl").open("w") as stream:
            for number in range(rows):
                stream.write(
                    json.dumps(
                        {
                            "id": str(number),
                            "prompt": f"Question {number * 7919} " + "why " * (number % 40),
                            "chosen": "A safe answer to it.",
                        }
                    )
                    + "\n"
                )
        source = directory / "instructions.jsonl"
        timed("writing the input", began)

        began = time.perf_counter()
        out = artifact("mistakes.jsonl")
        induced = Task(model, judge, guides("induce", ["plain"]), InduceSettings(attempts=2), 0)
        induce(read_rows(source, Instruction), out, induced)
        out.finish(**{"yield": stage_yield(read_rows(out.part, Mistake), ["plain"])})
        timed("induce", began)

        began = time.perf_counter()
        out = artifact("analyses.jsonl")
        analyzed = Task(model, judge, guides("analyze", ["told-prefill"]), AnalyzeSettings(attempts=1), 0)
        analyze(read_rows(directory / "mistakes.jsonl", Mistake), out, analyzed)
        out.finish()
        timed("analyze", began)

        began = time.perf_counter()
        sets = {
            "instructions": read_rows(source, Instruction),
            "analyses": read_rows(directory / "analyses.jsonl", Analysis),
        }
        out = artifact("samples.jsonl")
        compose(out, ["safe", "analysis"], sets, {})
        out.finish()
        timed("compose", began)

        began = time.perf_counter()
        out = artifact("responses.jsonl")
        respond(read_rows(source, Instruction), out, model, UNGUIDED, sampling, 0)
        out.finish()
        out = artifact("verdicts.jsonl")
        judge_responses(read_rows(directory / "responses.jsonl", Response), out, judge)
        out.finish()
        timed("respond and judge", began)

        began = time.perf_counter()
        measured = [
            measure(name, "unguided", "suite", "red-team", read_rows(directory / "verdicts.jsonl", Verdict))
            for name in ("a", "b")
        ]
        system_row(measured[0], 0)
        compare(measured[0], measured[1], 0)
        timed("metrics", began)
    return {"rows": rows, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, **seconds}


def main() -> None:
    """Each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one_size(given.one)))
        return
    results = []
    for rows in given.rows:
        command = [sys.executable, "-m", "benchmarks.scale", "--one", str(rows)]
        results.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        if not given.json:
            found = results[-1]
            steps = ", ".join(
                f"{key} {1e6 * value / rows:.0f}" for key, value in found.items() if key not in ("rows", "peak_mb")
            )
            print(f"{rows:>9} rows: peak {found['peak_mb']:.0f} MB; microseconds a row: {steps}", flush=True)
    if given.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
