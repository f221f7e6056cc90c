"""What each method cost in time, from the timings of a finished run, of several seeds, or of variants."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from amends.config.methods import METHODS, shares_of, stages_for
from amends.stages.base import STAGES
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory, read_run


class Cost(NamedTuple):
    """Seconds, means over seeds; None where a step was interrupted, or copied from elsewhere.

    Dpo's and rlhf's come on top of sft's.
    """

    making: float | None
    training: float | None


def costs(directory: Path, names: Iterable[str]) -> dict[str, Cost]:
    """The costs of the methods or variants of a results.json in `directory`; those without timings are left out."""
    found = {}
    seeds = (read_run(directory) or {}).get("seeds")
    for name in names:
        base, method, shares = _place(directory, name)
        runs = [RunDirectory(base).of_seed(seed) for seed in seeds or ()] or [base]
        timings = [read_as(dict[str, float], path) for run in runs if (path := RunDirectory(run).timings).exists()]
        if timings and method in METHODS:
            steps = [STAGES[stage].writes for stage in stages_for([method], shares)]
            found[name] = Cost(_mean(timings, steps), _mean(timings, [METHODS[method].training]))
    return found


def _place(directory: Path, name: str) -> tuple[Path, str, dict[str, float]]:
    """Where a row's run directories lie, its method and its shares: a variant has a directory of its own."""
    variant, _, method = name.partition(".")
    runs = [directory / variant, *sorted((directory / variant).glob("seed-*"))]
    found = next((one for run in runs if (one := read_run(run)) is not None), None)
    if found is None:
        return directory, name, _shares(read_run(directory) or {})
    return directory / variant, method or next(iter(found.get("methods", [])), name), _shares(found)


def _shares(run: dict[str, Any]) -> dict[str, float]:
    return shares_of(run.get("compose", {}), bool(run.get("benign")))


def _mean(timings: list[dict[str, float]], steps: list[str]) -> float | None:
    """The mean of the steps' sums over runs that know all of them; 0 where there are none to take."""
    sums = [sum(one[step] for step in steps) for one in timings if all(step in one for step in steps)]
    return float(np.mean(sums)) if sums else None
