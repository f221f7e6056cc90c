"""Feeds every reader with what coverage-guided mutation makes of good inputs; only errors of our own may come out.

    pip install atheris; python -m benchmarks.faults.fuzz [--seconds 60] [--only NAME] [--out DIR] [--json]

Each target runs in a process of its own, and goes on where its corpus in DIR ended. Of each kind of finding, an
error's class and the line of ours that it comes through, the first input is kept in DIR/NAME.found.
"""

import argparse
import contextlib
import hashlib
import io
import json
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

DONE = re.compile(r"Done (\d+) runs in (\d+) second")
KILLED = re.compile(r"==\d+== ?(?:ERROR|libFuzzer).*|libFuzzer: .*")
LONGEST_SECONDS = 10  # of one input


def fuzz(name: str, out: Path, seconds: int) -> None:
    """In a process of its own: tries inputs of one target until the time is over."""
    import atheris

    with atheris.instrument_imports(include=["amends"]):
        from benchmarks.faults.targets import ALLOWED, TARGETS
    target = TARGETS[name]
    found = out / f"{name}.found"
    kinds: set[str] = {path.name.partition("-")[0] for path in found.glob("*")}

    def one(data: bytes) -> None:
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                target.read(data)
        except ALLOWED:
            pass
        except Exception as error:
            said = kind_of(error)
            digest = hashlib.sha256(said.encode()).hexdigest()[:12]
            if digest not in kinds:
                kinds.add(digest)
                found.mkdir(exist_ok=True)
                (found / f"{digest}-input").write_bytes(data)
                (found / f"{digest}-error").write_text(f"{said}\n\n{''.join(traceback.format_exception(error))}")

    corpus = out / f"{name}.corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    named = []
    if target.words:
        words = out / f"{name}.dict"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
        named = [f"-dict={words}"]
    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST_SECONDS}", "-rss_limit_mb=6000", "-max_len=4096"]
    arguments = [sys.argv[0], str(corpus), *named, f"-artifact_prefix={out / name}.", *limits]
    atheris.Setup(arguments, one)
    atheris.Fuzz()


def kind_of(error: BaseException) -> str:
    """Its class, and the innermost line of ours that it comes through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/src/amends/" in frame.filename]
    where = f"{ours[-1].filename.partition('/src/')[2]}:{ours[-1].name}: {ours[-1].line}" if ours else "nowhere"
    return f"{type(error).__name__} at {where}"


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def campaign(names: list[str], out: Path, seconds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Runs the targets one after another; executions, seconds and findings by name. What is known is added to."""
    path = out / "executions.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        command = [sys.executable, "-m", "benchmarks.faults.fuzz", "--target", name, "--out", str(out)]
        done = subprocess.run(
            [*command, "--seconds", str(seconds)], capture_output=True, text=True, errors="replace", check=False
        )
        before, found = known.get(name, {}), DONE.search(done.stderr)
        one = {
            "executions": before.get("executions", 0) + int(found[1] if found else 0),
            "seconds": before.get("seconds", 0) + int(found[2] if found else 0),
        }
        if not found:
            one["ended"] = next(iter(KILLED.findall(done.stderr)), done.stderr[-1000:])
        known[name] = one
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known, indent=2))
        say(f"{name}: {one}")
    return {name: one | {"found": findings(out, name)} for name, one in known.items()}


def findings(out: Path, name: str) -> list[str]:
    """What came out of a target that must not, and inputs that were too slow or took too much memory."""
    errors = [path.read_text().partition("\n")[0] for path in sorted((out / f"{name}.found").glob("*-error"))]
    return errors + [path.name for path in sorted(out.glob(f"{name}.*-*")) if path.is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="of each target (60)")
    parser.add_argument("--only", default="", help="targets with this text in their names")
    parser.add_argument("--out", type=Path, default=Path("runs/faults/fuzz"), help="corpora and what was found")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.target:
        fuzz(options.target, options.out, options.seconds)
        return 0
    from benchmarks.faults.targets import TARGETS

    names = [name for name in TARGETS if options.only in name]
    found = campaign(names, options.out, options.seconds, lambda line: print(line, file=sys.stderr, flush=True))
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for name, one in found.items():
            print(f"{one['executions']:>10,} executions, {one['seconds']:>5} s  {name}")
            for kind in one["found"]:
                print(f"{'':12}{kind}")
        total = sum(one["executions"] for one in found.values())
        print(f"{total:,} executions, {sum(len(one['found']) for one in found.values())} kinds of finding")
    return int(any(one["found"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main())
