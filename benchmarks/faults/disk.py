"""Runs on devices that are full, broken or read-only from some moment on, and goes on with them afterwards.

    sudo python -m benchmarks.faults.disk [--trials 12] [--seed 0] [--json]

Of four trials one is on a small file system of its own (tmpfs), which fills up and is then made larger. In one every
change of the disk from some moment on fails as on a full, a broken or a read-only device. Two are on an ext4 whose
device takes no write any more from some moment on, or which turns read-only, as it does where it finds an error. A run
must end with one line and without a traceback, and the same command must end with the bytes of an undisturbed run.
"""

import errno
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults.devices import break_off, checked, device, make_read_only, mounted
from benchmarks.faults.runs import Disturbed, Ended, configuration, start
from benchmarks.faults.trials import kept_trials, shown, trials_parser, wrong_afterwards

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT)
ROOM = 4  # times what a whole run takes


@contextmanager
def file_system(place: Path, size: int) -> Iterator[None]:
    """A tmpfs of so many bytes."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def problems_of(ended: Ended, out: Path) -> Iterator[str]:
    """What is wrong with how a run ended on such a device."""
    last = ended.said.strip().splitlines()[-1:]
    if ended.code not in (1, 2):
        yield f"ended with {ended.code}"
    if "Traceback" in ended.said:
        yield "a traceback"
    if not any(line.startswith("amends: error: ") for line in last):
        yield f"does not end with an error in a line, but with {last}"
    if (out / "results.json").exists() and ended.code:
        yield "results are there"


def trial(
    number: int, draw: random.Random, command: list[str], place: Path, whole: Path, events: int
) -> dict[str, Any]:
    """One run that meets a device and goes on. Returns what was done to it, and what was wrong."""
    out, beside, event = place / "run", place.parent, draw.randrange(events)
    if number % 4 == 0:
        size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
        given = int(size * draw.uniform(0.02, 1.2))
        with file_system(place, given):
            ended = start(command, out, None, beside)
            subprocess.run(["mount", "-o", f"remount,size={ROOM * size}", str(place)], check=True)
            return {"error": "full", "bytes": given} | gone_on_with(ended, command, out, whole, beside)
    if number % 4 == 1:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        error = draw.choice(ERRORS)
        ended = start(command, out, Disturbed(event=event, error=error), beside)
        return {"error": errno.errorcode[error], "event": event} | gone_on_with(ended, command, out, whole, beside)
    with device() as before:
        with mounted(before, place, "commit=1,errors=remount-ro"):
            breaks = partial(break_off, before.file) if number % 4 == 2 else partial(make_read_only, before.loop)
            ended = start(command, out, Disturbed(event=event, also=breaks, number=0), beside)
        with device(before) as after:
            problem = checked(after)
            with mounted(after, place):
                found = {"error": breaks.func.__name__, "event": event, "file system": problem}
                return found | gone_on_with(ended, command, out, whole, beside)


def gone_on_with(ended: Ended, command: list[str], out: Path, whole: Path, beside: Path) -> dict[str, Any]:
    """How the run ended, and whether the same command ends with the bytes of an undisturbed one."""
    problems = list(problems_of(ended, out)) if ended.code or "Traceback" in ended.said else []
    problems += wrong_afterwards(start(command, out, None, beside), out, whole)
    return {"code": ended.code, "said": ended.said.strip().splitlines()[-1:], "problems": problems}


def main() -> int:
    options = trials_parser(__doc__, 12, "disk").parse_args()
    with tempfile.TemporaryDirectory(prefix="amends-disk-") as name:
        directory = Path(name)
        command, whole = configuration("tiny", directory), directory / "whole"
        events = start(command, whole).events
        found = kept_trials(
            options, "all", lambda number, draw: trial(number, draw, command, directory / "place", whole, events)
        )
    failed = [one for one in found if one["problems"]]
    met = sum(one["code"] != 0 for one in found)
    table = {"runs": len(found), "met their device": met, "ended right and were gone on with": len(found) - len(failed)}
    return shown(table, failed, options.json)


if __name__ == "__main__":
    sys.exit(main())
