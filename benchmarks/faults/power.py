"""Cuts the power of runs, and goes on with them on what their device had at that instant.

    sudo python -m benchmarks.faults.power [--trials 20] [--seed 0] [--out DIR] [--json]
    python -m benchmarks.faults.power --lost [--trials 20]

A run is on an ext4 file system behind a loop device, which takes no write any more from a random moment on. What the
kernel had not written by then is lost. A copy of the device is checked, its journal replayed, and the same command
must end there with the bytes of an undisturbed run. Half of the moments are events on the disk, the others are times.

With --lost, which needs no root, no device is cut: the run empties all files that it did not wait for, and kills
itself. Unlike a kernel, which writes most of them in the end, this loses all of them each time.
"""

import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.faults.devices import JOURNALS, break_off, checked, device, mounted, why_not
from benchmarks.faults.runs import Disturbed, configuration, newest, start
from benchmarks.faults.trials import kept_trials, shown, trials_parser, wrong_afterwards

MOST_CUTS = 3  # of one run, one after another


def empty_files(directory: Path) -> int:
    """How many files of a run were lost: they have a name and no bytes. Nobody waits for the words in a lock."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock")
    return sum(not path.stat().st_size for path in files)


def cut(journal: str, moment: Disturbed, command: list[str], place: Path, whole: Path) -> dict[str, Any]:
    """One run whose power is cut at a moment, on a file system with these options.

    Returns what was found on the device, and what was wrong with what became of it.
    """
    out, beside = place / "run", place.parent
    with device() as before:
        also = partial(break_off, before.file)
        with mounted(before, place, journal):
            ended = start(command, out, replace(moment, also=also), beside)
            also()  # of a run that had ended before its time, too
            found = {"journal": journal, "event": moment.event, "code": ended.code, "at": newest(out)}
        with device(before) as after:
            problem = checked(after)
            with mounted(after, place):
                empty = empty_files(place)
                wrong = wrong_afterwards(start(command, out, None, beside), out, whole)
                problem = problem or "".join(wrong)
    return found | {"empty": empty, "problem": problem}


def lost(draw: random.Random, command: list[str], place: Path, whole: Path, events: int) -> dict[str, Any]:
    """One run that loses what it did not wait for, some times one after another, and is then let go on to its end."""
    out = place / "run"
    shutil.rmtree(out, ignore_errors=True)
    moments, empty = [], 0
    for _ in range(MOST_CUTS):
        moments.append(draw.randrange(events))
        if start(command, out, Disturbed(event=moments[-1], loses=True)).code == 0:
            break
        empty += empty_files(out)
    again = start(command, out)
    return {
        "events": moments,
        "empty": empty,
        "code": again.code,
        "problem": "".join(wrong_afterwards(again, out, whole)),
    }


def main() -> int:
    parser = trials_parser(__doc__, 20, "power")
    parser.add_argument("--lost", action="store_true", help="no device: what was not waited for is lost")
    options = parser.parse_args()
    if not options.lost and (reason := why_not()):
        print(f"{reason}; --lost does without", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="amends-power-") as directory:
        command, whole = configuration("tiny", Path(directory)), Path(directory) / "whole"
        start(command, Path(directory) / "warm")  # the first one loads the libraries, too
        began, place = time.monotonic(), Path(directory) / "place"
        events = start(command, whole).events
        seconds = time.monotonic() - began
        place.mkdir()

        def trial(number: int, draw: random.Random) -> dict[str, Any]:
            if options.lost:
                return lost(draw, command, place, whole, events)
            at_event = Disturbed(event=draw.randrange(events))
            moment = at_event if draw.random() < 0.5 else Disturbed(seconds=draw.uniform(0, seconds))
            return cut(JOURNALS[number % len(JOURNALS)], moment, command, place, whole)

        found = kept_trials(options, "lost" if options.lost else "cut", trial)
    failed = [one for one in found if one["problem"]]
    table = {
        "runs": len(found),
        "with lost files": sum(one["empty"] > 0 for one in found),
        "lost files": sum(one["empty"] for one in found),
        "as undisturbed": len(found) - len(failed),
    }
    return shown(table, failed, options.json)


if __name__ == "__main__":
    sys.exit(main())
