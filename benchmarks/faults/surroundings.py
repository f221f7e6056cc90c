"""Runs where the system below Python does what it should not, and goes on with them where it does not any more.

    python -m benchmarks.faults.surroundings [--trials 24] [--only NAME] [--seed 0] [--out DIR] [--json]

By turns: writing, waiting for the device, or reading fails from some call on, for native code, too; the directory's
file system has no locks; some names are not found at once, as over a network; the wall clock jumps by days. A run may
end in a line that says what is wrong, or with the bytes of an undisturbed one. Without locks it must be refused, and
where only the clock jumps it must end well. Afterwards the same command must end with the same bytes. It needs gcc.
"""

import argparse
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
    again = start(command, out)
    if again.code:
        problems.append(f"is not gone on with: {again.said[-1000:]}")
    elif record_bytes(out) != record_bytes(whole):
        problems.append("ends with other bytes afterwards")
    said = ended.said.strip().splitlines()[-1:] if ended.code else []
    return {"what": what.name, "number": number, "code": ended.code, "said": said, "problems": problems}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=24, help="runs (24)")
    parser.add_argument("--only", default="", help="kinds with this text in their names")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--out", type=Path, default=Path("runs/faults/surroundings"), help="what was found")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if reason := why_not():
        print(reason, file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    kinds = [what for what in KINDS if options.only.upper() in what.name]
    kept = options.out / f"{options.only or 'all'}-{options.seed}.jsonl"
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    with tempfile.TemporaryDirectory(prefix="amends-surroundings-") as name:
        directory = Path(name)
        interpose(directory)
        command, whole = configuration("tiny", directory), directory / "whole"
        start(command, whole)
        for number in range(len(found), options.trials):
            draw = random.Random(f"{options.seed} {number}")
            found.append(trial(kinds[number % len(kinds)], draw, command, directory / "run", whole))
            with kept.open("a") as stream:
                stream.write(json.dumps(found[-1]) + "\n")
            print(found[-1], file=sys.stderr, flush=True)
    failed = [one for one in found if one["problems"]]
    table = {
        "runs": dict(Counter(one["what"] for one in found)),
        "ended in a line": dict(Counter(one["what"] for one in found if one["code"])),
        "right": len(found) - len(failed),
    }
    print(json.dumps(table | {"failed": failed}, indent=2) if options.json else f"{table}\n{failed or ''}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
