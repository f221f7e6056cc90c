"""By which amends, command and machine a run is made: run.json says it, and no fingerprint knows it."""

import functools
import platform
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path

from amends.models.device import best_device, hardware
from amends.models.endpoint.address import text_without_secrets


def origin() -> dict[str, str]:
    """The commit of amends, where it is known, the command line, and the machine without its name."""
    commit, machine = _commit(), hardware(best_device())
    return ({"commit": commit} if commit else {}) | {
        "command": _command(),
        "machine": ", ".join(f"{value} memory" if name == "memory" else value for name, value in machine.items()),
        "python": platform.python_version(),
    }


def _command() -> str:
    """As it was typed, without passwords; only that it was Python where somebody's own program called amends."""
    program = Path(sys.argv[0]) if sys.argv else Path()
    if program.name == "amends" or program.parts[-2:] == ("amends", "__main__.py"):
        return shlex.join(["amends", *map(text_without_secrets, sys.argv[1:])])
    return "from Python"


@functools.cache
def _commit() -> str:
    """Of the repository that amends runs from, with a plus where files differ from it; empty for an installed one."""
    package = Path(str(resources.files("amends")))
    # Where amends lies in somebody's own repository, such as in its .venv, it is not one of its files.
    if not _git(package, "ls-files", "--error-unmatch", "__init__.py"):
        return ""
    return _git(package, "rev-parse", "HEAD") + ("+" if _git(package, "status", "--porcelain", "--", ".") else "")


def _git(directory: Path, *command: str) -> str:
    """What git says; empty where it fails, or is not there."""
    try:
        done = subprocess.run(["git", "-C", directory, *command], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
