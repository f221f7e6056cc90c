"""Checkpoints that a training goes on from: each vouches for its own bytes, and none is believed that does not."""

import shutil
import sys
from pathlib import Path

from amends.storage.seals import is_sealed, seal

KEPT = 2  # so that there is one to go on from where the last is damaged, or was being written


def checkpoint_path(directory: Path, step: int) -> Path:
    """Where the trainer writes the checkpoint of an optimizer step."""
    return directory / f"checkpoint-{step}"


def seal_checkpoint(directory: Path, step: int) -> None:
    """Vouches for a checkpoint that was written whole, and waits until it is on the device."""
    seal(checkpoint_path(directory, step))


def last_checkpoint(directory: Path) -> str | None:
    """The newest checkpoint that is whole, as it was written.

    Newer ones that are not are removed, and that is said: the trainer would count them among those that it keeps.
    """
    found = [path for path in directory.glob("checkpoint-*") if path.name.rpartition("-")[2].isdecimal()]
    for path in sorted(found, key=lambda path: checkpoint_steps(str(path)), reverse=True):
        if is_sealed(path):
            return str(path)
        print(f"amends: {path}: is damaged or was not written whole; it is left out", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
    return None


def checkpoint_steps(checkpoint: str | None) -> int:
    """Optimizer steps up to a checkpoint; 0 without one."""
    return int(checkpoint.rpartition("-")[2]) if checkpoint else 0
