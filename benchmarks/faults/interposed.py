"""Processes whose C library is not to be trusted: broken devices, no locks, late names, a clock that jumps.

`interposed.c` stands before the C library, so that native code (pyarrow, safetensors, torch, SQLite) meets it, too.
"""

import ctypes
import os
import shutil
import subprocess
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class What(IntEnum):
    """What happens to files of a directory, or to the clock; its number is that in interposed.c."""

    NOTHING = 0
    WRITES = 1
    SYNCS = 2
    READS = 3
    NO_LOCKS = 4
    LATE_NAMES = 5
    CLOCK = 6


def why_not() -> str:
    """Why it cannot be made here; empty where it can."""
    return "" if shutil.which("gcc") else "needs gcc"


def interpose(directory: Path) -> None:
    """Makes it in `directory`, for all processes that begin from now on. Nothing happens in them before `arm`."""
    library = directory / "interposed.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    os.environ["LD_PRELOAD"] = str(library)


def arm(directory: Path, what: What, number: int) -> None:
    """In such a process: from now on it happens. The number is that of the first call that fails, or a seed."""
    ctypes.CDLL(None).amends_arm(os.fsencode(directory), int(what), ctypes.c_long(number))
