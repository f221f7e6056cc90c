"""Checkpoints that a training goes on from: each vouches for its own bytes, and none is believed that does not."""

import json
import shutil
import sys
from pathlib import Path

from amends.storage.seals import is_sealed, seal
from amends.training import ranks

KEPT = 2  # so that there is one to go on from where the last is damaged, or was being written


def checkpoint_path(directory: Path, step: int) -> Path:
    """Where the trainer writes the checkpoint of an optimizer step."""
    return directory / f"checkpoint-{step}"


def seal_checkpoint(directory: Path, step: int) -> None:
    """Vouches for a checkpoint that was written whole, and waits until it is on the device."""
    seal(checkpoint_path(directory, step))


def last_checkpoint(directory: Path) -> str | None:
    """The newest checkpoint that is whole, as it was written, and that the training has steps behind.

    Newer ones that are not whole are removed, and that is said: the trainer would count them among those that it keeps.
    So is one of the last step, without a word: from there, within an epoch, the trainer would take a step too many.
    """
    found = [path for path in directory.glob("checkpoint-*") if path.name.rpartition("-")[2].isdecimal()]
    for path in sorted(found, key=lambda path: checkpoint_steps(str(path)), reverse=True):
        if is_sealed(path):
            if not _is_of_the_last_step(path):
                return str(path)
            shutil.rmtree(path)
            continue
        print(f"amends: {path}: is damaged or was not written whole; it is left out", file=sys.stderr)
        shutil.rmtree(path, ignore_errors=True)
    return None


def _is_of_the_last_step(checkpoint: Path) -> bool:
    """By the state that the trainer wrote into it; its seal vouches for that."""
    state = checkpoint / "trainer_state.json"
    if not state.exists():
        return False
    said = json.loads(state.read_text(encoding="utf-8"))
    return bool(said["global_step"] >= said["max_steps"])


def checkpoint_for_all(directory: Path) -> str | None:
    """The newest checkpoint that is whole, as the first of the processes finds it."""
    found: str | None = ranks.of_first(last_checkpoint(directory) if ranks.is_first() else None)
    return found


def checkpoint_steps(checkpoint: str | None) -> int:
    """Optimizer steps up to a checkpoint; 0 without one."""
    return int(checkpoint.rpartition("-")[2]) if checkpoint else 0
