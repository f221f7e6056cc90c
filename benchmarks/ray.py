"""A Ray cluster on this machine: what it adds to a chunk, memory over many rows, and two workers beside one.

    python -m benchmarks.ray overhead [--chunks 200]
    python -m benchmarks.ray memory [--rows 100000 1000000]
    python -m benchmarks.ray speed [--rows 1024] [--turns 3]

Overhead and memory are of a scripted model, so that what is measured is everything else. Processor seconds are those of
the driver; they say the same on a machine that does other things, too. Speed is of the embedded model with one thread a
worker, and wants two free cores.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amends.evaluation.respond import RespondTask
from amends.models.base import Sampling
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.pipeline.driver import fill
from amends.pipeline.executors.local import Local
from amends.pipeline.executors.ray import Ray, RaySettings
from amends.prompts import UNGUIDED
from amends.records import Instruction
from amends.stages.chunks import CHUNK_ROWS
from amends.stages.executors import Executor
from amends.storage.artifacts import Artifact

ANSWER = "You could do it in some steps, of which the first one is to ask somebody who knows. " * 3


def rows(count: int) -> Iterator[Instruction]:
    """Instructions of some 20 to 60 words."""
    for number in range(count):
        yield Instruction(id=str(number), prompt=f"Question {number * 7919}: " + "why is it so " * (5 + number % 10))


def filled(count: int, task: RespondTask, executor: Executor) -> tuple[float, float]:
    """Seconds, and the driver's processor seconds, of so many responses."""
    with tempfile.TemporaryDirectory() as directory:
        artifact = Artifact(Path(directory) / "responses.jsonl", {"rows": count})
        began, computed = time.perf_counter(), time.process_time()
        fill(artifact, rows(count), task.work(), executor)
        return time.perf_counter() - began, time.process_time() - computed


def scripted() -> RespondTask:
    """Responses that cost nothing."""
    return RespondTask(ScriptedModel("scripted", lambda prompt, seed: ANSWER), UNGUIDED, Sampling(), 0)


def started(workers: int) -> Ray:
    """Workers that have done a chunk."""
    executor = Ray(RaySettings(workers=workers))
    filled(workers * CHUNK_ROWS, scripted(), executor)
    return executor


def overhead(chunks: int) -> dict[str, Any]:
    """What a chunk of 256 rows costs beyond its own work, which is next to nothing here."""
    found = {}
    for name, executor in (("local", Local()), ("ray, 1 worker", started(1))):
        wall, processor = filled(chunks * CHUNK_ROWS, scripted(), executor)
        found[name] = {
            "milliseconds_a_chunk": round(1000 * wall / chunks, 2),
            "driver_processor_milliseconds_a_chunk": round(1000 * processor / chunks, 2),
        }
        executor.release()
    return found


def memory(count: int) -> dict[str, Any]:
    """The driver's peak memory."""
    executor = started(1)
    before = _peak_megabytes()
    wall, processor = filled(count, scripted(), executor)
    return {
        "rows": count,
        "peak_mb_before": before,
        "peak_mb": _peak_megabytes(),
        "driver_processor_microseconds_a_row": round(1e6 * processor / count, 1),
        "rows_per_second": round(count / wall),
    }


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def speed(count: int, turns: int) -> dict[str, Any]:
    """Rows a second of one worker and of two, in turns, each after it has loaded the model."""
    task = RespondTask(LocalModel("embedded"), UNGUIDED, Sampling(max_new_tokens=32), 0)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for workers in list(seconds) * turns:
        executor = started(workers)
        filled(workers * CHUNK_ROWS // 8, task, executor)  # loads the model
        seconds[workers].append(filled(count, task, executor)[0])
        executor.release()
    ratios = [one / two for one, two in zip(seconds[1], seconds[2], strict=True)]
    return {
        "rows": count,
        "rows_per_second": {workers: [round(count / one, 2) for one in its] for workers, its in seconds.items()},
        "two_by_one": round(statistics.median(ratios), 2),
        "load_of_the_machine": os.getloadavg()[0],
    }


def main() -> None:
    """One of the three; each size of memory in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["overhead", "memory", "speed"])
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--rows", type=int, nargs="+", default=[])
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.what == "memory" and len(given.rows) != 1:
        for size in given.rows or [100_000, 1_000_000]:
            subprocess.run([sys.executable, "-m", "benchmarks.ray", "memory", "--rows", str(size)], check=True)
        return
    if given.what == "overhead":
        found = overhead(given.chunks)
    elif given.what == "memory":
        found = memory(given.rows[0])
    else:
        found = speed((given.rows or [4 * CHUNK_ROWS])[0], given.turns)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
