"""Curves of training losses as points of small plots that share their scales: one plot for each trained method."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory

WIDTH, HEIGHT = 100.0, 40.0
"""Of the plot's own coordinates, which the page stretches."""
MOST_POINTS = 200
"""More than a plot of that size can show; a training of 10,000 steps must not weigh a megabyte."""


class Curve(NamedTuple):
    """A method's losses in nats per trained token: the first and the last, and `points` of an SVG polyline."""

    method: str
    points: str
    first: float
    last: float
    steps: float


class Curves(NamedTuple):
    """All curves, and the ends that their axes share."""

    highest: float
    last_step: float
    curves: list[Curve]


class _Step(BaseModel):
    step: float
    loss: float | None = None


class _TrainingLog(BaseModel):
    log: list[_Step] = []


def loss_curves(directory: Path, methods: Sequence[str]) -> Curves | None:
    """The curves of the methods that have a training log in a run directory; None where none has."""
    logs = {}
    for method in methods:
        path = RunDirectory(directory).training(method)
        if path.exists():
            steps = [
                (one.step, one.loss)
                for one in read_as(_TrainingLog, path).log
                if one.loss is not None and isfinite(one.loss)
            ]
            if steps:
                logs[method] = steps
    if not logs:
        return None
    highest = max(loss for steps in logs.values() for _, loss in steps)
    last = max(step for steps in logs.values() for step, _ in steps)
    return Curves(highest, last, [_curve(method, steps, highest, last) for method, steps in logs.items()])


def _curve(method: str, steps: list[tuple[float, float]], highest: float, last: float) -> Curve:
    shown = steps[:: -(-len(steps) // MOST_POINTS)]
    shown = shown if shown[-1] == steps[-1] and len(shown) > 1 else [*shown, steps[-1]]  # a point is drawn as a line
    points = [
        (WIDTH * step / last if last > 0 else 0.0, HEIGHT * (1 - max(loss, 0.0) / highest) if highest > 0 else HEIGHT)
        for step, loss in shown
    ]
    text = " ".join(f"{across:.2f},{down:.2f}" for across, down in points)
    return Curve(method, text, steps[0][1], steps[-1][1], steps[-1][0])
