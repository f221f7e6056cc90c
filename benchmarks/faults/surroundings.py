"""Runs where the system below Python does what it should not, and goes on with them where it does not any more.

    python -m benchmarks.faults.surroundings [--trials 24] [--only NAME] [--seed 0] [--out DIR] [--json]

By turns: writing, waiting for the device, or reading fails from some call on, for native code, too; the directory's
file system has no locks; some names are not found at once, as over a network; the wall clock jumps by days. A run may
end in a line that says what is wrong, or with the bytes of an undisturbed one. Without locks it must be refused, and
where only the clock jumps it must end well. Afterwards the same command must end with the same bytes. It needs gcc.
"""

import json
import random
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.faults.interposed import What, interpose, why_not
from benchmarks.faults.runs import Disturbed, Ended, configuration, record_bytes, start
from benchmarks.faults.trials import kept_trials, shown, trials_parser, wrong_afterwards

KINDS = tuple(what for what in What if what is not What.NOTHING)
MOST_CALLS = {What.WRITES: 500, What.SYNCS: 500, What.READS: 3000}  # a whole run of the tiny model has some more
NO_LOCKS = "its file system has no locks; choose an output on another one"
NEGATIVE = re.compile(r"(?<![\w-])-\d+(?:\.\d+)? ?(?:s|ms|seconds|minutes|min|h)\b")


def problems_of(what: What, ended: Ended, out: Path, whole: Path) -> Iterator[str]:
    """What is wrong with how such a run ended."""
    last = ended.said.strip().splitlines()[-1:]
    if "Traceback" in ended.said:
        yield f"a traceback: {ended.said[-1500:]}"
    elif ended.code and not any(line.startswith("amends: error: ") for line in last):
        yield f"ended with {ended.code}, and not with an error in a line, but with {last}"
    if ended.code == 0 and record_bytes(out) != record_bytes(whole):
        yield "ends with other bytes"
    if what is What.NO_LOCKS and (ended.code != 2 or NO_LOCKS not in ended.said):
        yield f"is not refused without locks: {ended.code}, {last}"
    if what is What.CLOCK:
        if ended.code:
            yield f"does not end where the clock jumps: {last}"
        if negative := NEGATIVE.findall(ended.said):
            yield f"says {negative}"
        timings = out / "timings.json"
        if timings.exists() and min(json.loads(timings.read_text()).values()) < 0:
            yield "has steps of negative time"


def trial(what: What, draw: random.Random, command: list[str], out: Path, whole: Path) -> dict[str, Any]:
    """One run of which half is made in peace, by chance, and the rest so; how it ended, and how the next one did."""
    shutil.rmtree(out, ignore_errors=True)
    if what not in MOST_CALLS and draw.random() < 0.5:
        start(command, out, Disturbed(event=draw.randrange(1, 2000)))
    number = draw.randrange(MOST_CALLS.get(what, 1 << 20))
    ended = start(command, out, Disturbed(what=what, of_what=number))
    problems = list(problems_of(what, ended, out, whole))
    problems += wrong_afterwards(start(command, out), out, whole)
    said = ended.said.strip().splitlines()[-1:] if ended.code else []
    return {"what": what.name, "number": number, "code": ended.code, "said": said, "problems": problems}


def main() -> int:
    parser = trials_parser(__doc__, 24, "surroundings")
    parser.add_argument("--only", default="", help="kinds with this text in their names")
    options = parser.parse_args()
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    kinds = [what for what in KINDS if options.only.upper() in what.name]
    with tempfile.TemporaryDirectory(prefix="amends-surroundings-") as name:
        directory = Path(name)
        interpose(directory)
        command, whole = configuration("tiny", directory), directory / "whole"
        start(command, whole)
        found = kept_trials(
            options,
            options.only or "all",
            lambda number, draw: trial(kinds[number % len(kinds)], draw, command, directory / "run", whole),
        )
    failed = [one for one in found if one["problems"]]
    table = {
        "runs": dict(Counter(one["what"] for one in found)),
        "ended in a line": dict(Counter(one["what"] for one in found if one["code"])),
        "right": len(found) - len(failed),
    }
    return shown(table, failed, options.json)


if __name__ == "__main__":
    sys.exit(main())
