"""Trials of a campaign: each draws from a random stream of its own, and what it found is kept, so that it goes on."""

import argparse
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults.runs import Ended, record_bytes


def trials_parser(about: str | None, trials: int, name: str) -> argparse.ArgumentParser:
    """The options of a campaign of so many trials."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=trials, help=f"runs ({trials})")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    parser.add_argument("--out", type=Path, default=Path("runs/faults") / name, help="what was found")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def kept_trials(
    options: argparse.Namespace,
    name: str,
    trial: Callable[[int, random.Random], dict[str, Any]],
    line: Callable[[dict[str, Any]], object] = lambda one: one,
) -> list[dict[str, Any]]:
    """What all trials found: those of before, which `NAME-SEED.jsonl` holds, and the ones that are made now.

    `line`: what is said of each.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    kept: Path = options.out / f"{name}-{options.seed}.jsonl"
    found = [json.loads(row) for row in kept.read_text().splitlines()] if kept.exists() else []
    for number in range(len(found), options.trials):
        found.append(trial(number, random.Random(f"{options.seed} {number}")))
        with kept.open("a") as stream:
            stream.write(json.dumps(found[-1]) + "\n")
        print(line(found[-1]), file=sys.stderr, flush=True)
    return found


def shown(table: dict[str, Any], failed: list[dict[str, Any]], as_json: bool) -> int:
    """Prints what was found; 0 where nothing failed."""
    print(json.dumps(table | {"failed": failed}, indent=2) if as_json else f"{table}\n{failed or ''}")
    return int(bool(failed))


def wrong_afterwards(again: Ended, out: Path, whole: Path) -> list[str]:
    """What is wrong with a run that was gone on with, beside one that nothing was done to."""
    if again.code:
        return [f"is not gone on with: {again.said[-1000:]}"]
    found, expected = record_bytes(out), record_bytes(whole)
    differing = sorted(name for name in expected.keys() | found.keys() if found.get(name) != expected.get(name))
    return [f"differs from an undisturbed run: {', '.join(differing)}"] if differing else []
