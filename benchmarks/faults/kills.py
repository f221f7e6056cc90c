"""Kills real runs at random moments, and looks whether they end with the bytes of one that was never interrupted.

    python -m benchmarks.faults.kills [--trials 20] [--model tiny|embedded] [--with KEY=VALUE] [--seed 0]
        [--out DIR] [--json]

A trial interrupts a run again and again: by SIGKILL after some seconds or at an event on the disk, by SIGTERM, by
Ctrl-C. Every third one goes from settings A to B, is killed there, and goes back to A and to B. What a trial found is
kept in DIR, so that the campaign goes on where it was interrupted itself. With `--with executor=ray` or
`--with train.processes=2` all of its runs are so, the undisturbed one, too.
"""

import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.runs import Disturbed, Ended, configuration, newest, record_bytes, start
from benchmarks.faults.trials import kept_trials, trials_parser

MOST_INTERRUPTIONS = 6  # of one run, after which it may end
MOST_SECONDS = 5.0  # from SIGTERM or Ctrl-C to the end
OTHER_SETTINGS = ("compose.benign=0.5", "train.learning_rate=0.01", "respond.temperature=0.5", "induce.attempts=2")
RESUMES = "the same command goes on from there"
SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Campaign:
    """Whole runs by settings, and how long one takes."""

    directory: Path
    command: list[str]

    def __post_init__(self) -> None:
        self.whole: dict[str, dict[str, bytes]] = {}
        self.seconds = self.events = 0

    def expected(self, other: str = "") -> dict[str, bytes]:
        """The records of an uninterrupted run, with another setting or none."""
        out = self.directory / f"whole-{other or 'a'}"
        if other not in self.whole:
            ended = start(self.with_setting(other), out)
            if ended.code:
                raise SystemExit(f"the whole run fails: {ended.said}")
            self.events = self.events or ended.events
            self.whole[other] = record_bytes(out)
        return self.whole[other]

    def with_setting(self, other: str) -> list[str]:
        """The command of these settings."""
        return [*self.command, *([other] if other else [])]

    def disturbance(self, draw: random.Random, seconds: float) -> Disturbed:
        """Of half of them at an event on the disk, where most can go wrong."""
        if draw.random() < 0.5:
            return Disturbed(event=draw.randrange(self.events))
        number = draw.choice((signal.SIGKILL, signal.SIGKILL, *SIGNALS))
        return Disturbed(seconds=draw.uniform(0, seconds), number=number)


class Failed(Exception):
    """What a trial found that must not be."""


def interrupted(campaign: Campaign, draw: random.Random, seconds: float) -> Iterator[dict[str, Any]]:
    """One run that is interrupted until it ends; gives each interruption. Raises Failed."""
    out = campaign.directory / "run"
    shutil.rmtree(out, ignore_errors=True)
    for _ in range(MOST_INTERRUPTIONS):
        disturbed = campaign.disturbance(draw, seconds)
        ended = start(campaign.command, out, disturbed)
        yield checked(ended, disturbed, out)
        if ended.code == 0:
            break
    else:
        finish(campaign, "", out, [])
    compare(campaign, "", out)


def there_and_back(campaign: Campaign, draw: random.Random, seconds: float) -> Iterator[dict[str, Any]]:
    """A finished run of A is killed while it is made with B; then A is asked for again, and B. Raises Failed."""
    other, out = draw.choice(OTHER_SETTINGS), campaign.directory / "run"
    campaign.expected(other)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(campaign.directory / "whole-a", out)
    disturbed = campaign.disturbance(draw, seconds)
    ended = start([*campaign.with_setting(other), "--overwrite"], out, disturbed)
    yield checked(ended, disturbed, out) | {"settings": other}
    for setting in ("", other, ""):
        finish(campaign, setting, out, ["--overwrite"])
        compare(campaign, setting, out)


def checked(ended: Ended, disturbed: Disturbed, out: Path) -> dict[str, Any]:
    """What became of an interruption. Raises Failed where it ended in another way than it may."""
    number = signal.SIGKILL if disturbed.event is not None else disturbed.number
    allowed = {0, -number} if number == signal.SIGKILL else {0, 130, -number}
    if ended.code not in allowed:
        raise Failed(f"ended with {ended.code} by {signal.Signals(number).name}: {ended.said[-1000:]}")
    if ended.code == 130 and RESUMES not in ended.said:
        raise Failed(f"does not say how to go on: {ended.said[-1000:]}")
    if ended.code == 130 and ended.seconds > MOST_SECONDS:
        raise Failed(f"took {ended.seconds:.1f} s to end")
    how = "disk" if disturbed.event is not None else signal.Signals(number).name
    return {"how": how, "code": ended.code, "at": newest(out), "seconds": round(ended.seconds, 2)}


def finish(campaign: Campaign, setting: str, out: Path, more: list[str]) -> None:
    """Runs to the end. Raises Failed where that is refused."""
    ended = start([*campaign.with_setting(setting), *more], out)
    if ended.code:
        raise Failed(f"is not gone on with: {ended.said[-1000:]}")


def compare(campaign: Campaign, setting: str, out: Path) -> None:
    """Raises Failed where a file is not that of an uninterrupted run."""
    found, whole = record_bytes(out), campaign.expected(setting)
    if differing := sorted(name for name in whole.keys() | found.keys() if found.get(name) != whole.get(name)):
        raise Failed(f"differs from an uninterrupted run: {', '.join(differing)}")
    if left := [str(one) for one in out.rglob("*") if one.name.endswith((".part", ".bak", ".tmp"))]:
        raise Failed(f"left behind: {', '.join(left)}")


def main() -> int:
    parser = trials_parser(__doc__, 20, "kills")
    parser.add_argument("--model", choices=("tiny", "embedded"), default="tiny", help="whose runs (tiny)")
    parser.add_argument("--with", dest="more", action="append", default=[], help="a setting of all its runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amends-kills-") as directory:
        command = [*configuration(options.model, Path(directory)), *options.more]
        campaign = Campaign(Path(directory), command)
        campaign.expected()
        seconds = whole_seconds(Path(directory) / "whole-a")

        def trial(number: int, draw: random.Random) -> dict[str, Any]:
            one: dict[str, Any] = {"trial": number, "interruptions": [], "failed": ""}
            try:
                for interruption in (there_and_back if number % 3 == 2 else interrupted)(campaign, draw, seconds):
                    one["interruptions"].append(interruption)
            except Failed as error:
                one["failed"] = str(error)
                shutil.copytree(campaign.directory / "run", options.out / f"failed-{number}", dirs_exist_ok=True)
            return one

        found = kept_trials(
            options,
            "-".join([options.model, *options.more]),
            trial,
            lambda one: f"trial {one['trial']}: {len(one['interruptions'])} interruptions {one['failed']}",
        )
    return report(found, options.json)


def whole_seconds(directory: Path) -> float:
    """What the steps of a run took."""
    return float(sum(json.loads((directory / "timings.json").read_text()).values()))


def report(found: list[dict[str, Any]], as_json: bool) -> int:
    """Prints what was found; 0 where every run ended as it should."""
    every = [one for trial in found for one in trial["interruptions"] if one["code"]]
    slowest = max((one["seconds"] for one in every if one["code"] == 130), default=0.0)
    table = {
        "runs": len(found),
        "as uninterrupted": sum(not trial["failed"] for trial in found),
        "interruptions": len(every),
        "by": dict(Counter(one["how"] for one in every).most_common()),
        "at": dict(Counter(one["at"].partition("/")[0] for one in every).most_common()),
        "slowest end after a signal, seconds": slowest,
        "failed": [trial["failed"] for trial in found if trial["failed"]],
    }
    print(json.dumps(table, indent=2) if as_json else "\n".join(f"{name}: {value}" for name, value in table.items()))
    return int(bool(table["failed"]))


if __name__ == "__main__":
    sys.exit(main())
