"""Where a training's steps are also reported: packages that transformers has a callback for, by its names."""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from amends.errors import InputError

Tracker = Literal["trackio", "tensorboard", "wandb", "mlflow"]
LOGS = "TENSORBOARD_LOGGING_DIR"
"""What transformers' callback writes to; without it, beside the checkpoints, which go when the training is done."""


def refuse_missing(report_to: Collection[Tracker]) -> None:
    """Raises InputError where a package is not installed."""
    if missing := [name for name in report_to if find_spec(name) is None]:
        raise InputError(
            f"train.report_to: not installed: {', '.join(missing)}; give pip install 'amends[trackers]', or leave it "
            "out"
        )


def tracker_arguments(report_to: Collection[Tracker], directory: Path) -> dict[str, Any]:
    """Of transformers' arguments what says where it reports to, and by which name: of a run's method RUN-METHOD.

    Trackio also publishes a page on the hub once a training ends, unless it is told not to.
    """
    above = directory.absolute().parent
    names: dict[str, Any] = {"run_name": f"{above.parent.name}-{above.name}", "project": "amends"}
    return {"report_to": list(report_to), **names, "trackio_static_space_id": False} if report_to else {}


@contextmanager
def reported(report_to: Collection[Tracker], output: Path) -> Iterator[None]:
    """Has TensorBoard's logs lie in OUTPUT.tensorboard, where the environment names no other place.

    What trackers print is news, and goes where news goes: standard output has the result alone. A run of wandb's ends
    with its training. Left open, it would take in the next method's steps, and print where it lies after the result.
    """
    if not report_to:
        yield
        return
    own = {} if LOGS in os.environ else {LOGS: str(output.absolute().with_name(f"{output.name}.tensorboard"))}
    os.environ.update(own)
    try:
        with redirect_stdout(sys.stderr):
            yield
            if "wandb" in report_to:
                import wandb

                wandb.finish()
    finally:
        for name in own:
            del os.environ[name]
