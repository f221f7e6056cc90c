"""Many processes at one run directory and at one cache, a lock of somebody dead, and run directories that are moved.

    python -m benchmarks.faults.concurrency [--processes 10] [--rounds 3] [--json]

Of those that want one directory at the same time one makes the run, and the others say in a line who holds it. All of
them unpack the embedded model into one empty cache, and keep answers in one file.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults.runs import Disturbed, begin, configuration, processes, record_bytes, start

ANSWERS = 50  # that each process keeps


def on_one_directory(command: list[str], out: Path, count: int) -> dict[str, Any]:
    """Starts them together; how they ended."""
    begun = [begin(command, out, name=f"-{number}") for number in range(count)]
    ends = []
    for process, said, _ in begun:
        process.join()
        ends.append((process.exitcode, said.read_text(errors="replace").strip().splitlines()[-1:]))
    refused = [said for code, said in ends if code == 2 and said and ": held by " in said[0]]
    return {
        "finished": sum(code == 0 for code, _ in ends),
        "said who holds it": len(refused),
        "ended otherwise": [one for one in ends if one[0] != 0 and one[1] not in refused],
    }


def on_one_cache(directory: Path, count: int) -> dict[str, Any]:
    """Unpacks and keeps in an empty cache from many processes."""
    begun = [processes().Process(target=_use_cache, args=(directory, number, count)) for number in range(count)]
    for one in begun:
        one.start()
    for one in begun:
        one.join()
    left = [path.name for path in (directory / "models").iterdir()]
    return {"ended right": sum(one.exitcode == 0 for one in begun), "of": count, "models left there": len(left)}


def _use_cache(directory: Path, number: int, count: int) -> None:
    os.environ["AMENDS_CACHE"] = str(directory)
    from amends.judges.answer_store import KeptAnswers
    from amends.models.embedded import embedded_model_directory
    from amends.storage.seals import is_sealed

    assert is_sealed(embedded_model_directory())
    store = KeptAnswers(directory / "answers.sqlite")
    for one in range(ANSWERS):
        store.keep({f"{number} {one}": f"answer {number} {one}"})
    own = [f"{number} {one}" for one in range(ANSWERS)]
    assert store.find(own) == {key: f"answer {key}" for key in own}


def moved(command: list[str], whole: Path, events: int, how: Callable[[Path, Path], object]) -> str:
    """A run that was killed in the middle is copied or moved, and goes on there; what went wrong, if anything."""
    before, after = whole.with_name("before"), whole.with_name("elsewhere") / "deep" / "after"
    for directory in (before, after.parent.parent):
        shutil.rmtree(directory, ignore_errors=True)
    after.parent.mkdir(parents=True)
    start(command, before, Disturbed(event=events // 2))
    (before / ".lock").write_text("4194303 of another machine")  # which its kernel does not hold
    how(before, after)
    shutil.rmtree(before, ignore_errors=True)
    ended = start(command, after)
    if ended.code:
        return ended.said[-600:]
    return "" if record_bytes(after) == record_bytes(whole) else "other bytes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=10, help="at once (10)")
    parser.add_argument("--rounds", type=int, default=3, help="of processes on one directory (3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amends-concurrency-") as name:
        directory = Path(name)
        command = configuration("tiny", directory)
        whole = start(command, directory / "whole")
        found: dict[str, Any] = {"one directory": []}
        for number in range(options.rounds):
            out = directory / f"shared-{number}"
            one = on_one_directory(command, out, options.processes)
            found["one directory"].append(one | {"same bytes": record_bytes(out) == record_bytes(directory / "whole")})
        found["one cache"] = on_one_cache(directory / "cache", options.processes)
        ways: dict[str, Callable[[Path, Path], object]] = {"copied": shutil.copytree, "moved": shutil.move}
        for way, how in ways.items():
            found[way] = moved(command, directory / "whole", whole.events, how) or "goes on with the same bytes"
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{key}: {one}" for key, one in found.items()))
    right = all(one["same bytes"] and not one["ended otherwise"] for one in found["one directory"])
    cache = found["one cache"]
    right &= cache["ended right"] == cache["of"] and cache["models left there"] == 1
    return int(not right or any(found[way] != "goes on with the same bytes" for way in ways))


if __name__ == "__main__":
    sys.exit(main())
