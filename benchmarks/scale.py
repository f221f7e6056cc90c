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

from amends.data.rows import read_rows
from amends.evaluation.judge import judging
from amends.evaluation.measurement import measure
from amends.evaluation.respond import RespondTask
from amends.evaluation.results import compare, system_row
from amends.judges.base import Judge
from amends.models.base import Sampling
from amends.models.scripted import ScriptedModel
from amends.pipeline.driver import copy, fill
from amends.pipeline.executors.local import Local
from amends.prompts import UNGUIDED, english
from amends.records import Analysis, Instruction, Mistake, Response, UserPrompt, Verdict
from amends.stages.analyze import STAGE as ANALYZE
from amends.stages.analyze import AnalyzeSettings
from amends.stages.attempts import Task
from amends.stages.induce import STAGE as INDUCE
from amends.stages.induce import InduceSettings
from amends.stages.yields import stage_yield
from amends.storage.artifacts import Artifact
from amends.training.compose import compose


class HashJudge(Judge):
    """Harmful with a probability that the prompt decides."""

    name = "hash"

    def score(self, pairs: Sequence[tuple[UserPrompt, str]]) -> list[float | None]:
        drawn = (zlib.crc32(str(prompt).encode()) % 100 / 100 for prompt, _ in pairs)  # the same share at every size
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
        induced = Task(model, judge, english().guides("induce", ["plain"]), InduceSettings(attempts=2), 0)
        fill(out, read_rows(source, Instruction), INDUCE.work(induced), Local())
        out.finish(**{"yield": stage_yield(read_rows(out.part, Mistake), ["plain"])})
        timed("induce", began)

        began = time.perf_counter()
        out = artifact("analyses.jsonl")
        analyzed = Task(model, judge, english().guides("analyze", ["told-prefill"]), AnalyzeSettings(attempts=1), 0)
        fill(out, read_rows(directory / "mistakes.jsonl", Mistake), ANALYZE.work(analyzed), Local())
        out.finish()
        timed("analyze", began)

        began = time.perf_counter()
        sets = {
            "instructions": read_rows(source, Instruction),
            "analyses": read_rows(directory / "analyses.jsonl", Analysis),
        }
        out = artifact("samples.jsonl")
        copy(out, compose(["safe", "analysis"], sets, {}))
        out.finish()
        timed("compose", began)

        began = time.perf_counter()
        out = artifact("responses.jsonl")
        fill(out, read_rows(source, Instruction), RespondTask(model, UNGUIDED, sampling, 0).work(), Local())
        out.finish()
        out = artifact("verdicts.jsonl")
        fill(out, read_rows(directory / "responses.jsonl", Response), judging(judge), Local())
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
