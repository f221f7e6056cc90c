"""What each method cost in time, from the timings of a finished run, of several seeds, or of variants."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from amends.making import MAKING, stages_for
from amends.methods import METHODS
from amends.store import read_json


class Cost(NamedTuple):
    """Seconds, means over seeds; None where a step was interrupted, or copied from elsewhere.

    Dpo's and rlhf's come on top of sft's.
    """

    making: float | None
    training: float | None


def costs(directory: Path, names: Iterable[str]) -> dict[str, Cost]:
    """The costs of the methods or variants of a results.json in `directory`; those without timings are left out."""
    found = {}
    path = directory / "run.json"
    seeds = read_json(path).get("configuration", {}).get("seeds") if path.exists() else None
    for name in names:
        base, method = _place(directory, name)
        files = [base / f"seed-{seed}" / "timings.json" for seed in seeds or ()] or [base / "timings.json"]
        timings = [read_json(path) for path in files if path.exists()]
        if timings and method in METHODS:
            steps = [MAKING[stage].writes for stage in stages_for([method])]
            found[name] = Cost(_mean(timings, steps), _mean(timings, [f"{method}: training"]))
    return found


def _place(directory: Path, name: str) -> tuple[Path, str]:
    """Where a row's run directories lie, and its method: a variant has a directory of its own."""
    variant, _, method = name.partition(".")
    configurations = sorted((directory / variant).glob("run.json")) or sorted(
        (directory / variant).glob("seed-*/run.json")
    )
    if not configurations:
        return directory, name
    return directory / variant, method or read_json(configurations[0])["configuration"]["methods"][0]


def _mean(timings: list[dict[str, Any]], steps: list[str]) -> float | None:
    """The mean of the steps' sums over runs that know all of them; 0 where there are none to take."""
    sums = [sum(one[step] for step in steps) for one in timings if all(step in one for step in steps)]
    return float(np.mean(sums)) if sums else None
