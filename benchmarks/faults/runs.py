"""Runs that the campaigns disturb: of a tiny model that speaks or of the embedded one, each in its own process."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[2] / "tests"
sys.path.insert(0, str(TESTS))  # the tiny model, its judges and the processes are those of the tests

from conftest import record_bytes, run_amends  # noqa: E402
from forked import processes  # noqa: E402
from tiny_run import settings, speaking_model  # noqa: E402

__all__ = ["Disturbed", "Ended", "configuration", "record_bytes", "start"]
CHANGING = ("open", "os.rename", "os.mkdir", "os.remove", "os.truncate", "os.rmdir")


@dataclass(frozen=True)
class Disturbed:
    """What happens to a run.

    Attributes:
        event: the number of the event in its directory (a file opened, renamed, removed) at which it kills itself.
        seconds: after which it is sent a signal.
        number: the signal.
    """

    event: int | None = None
    seconds: float | None = None
    number: int = signal.SIGKILL


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, negative for a signal, what it said, and the seconds since it was sent one."""

    code: int
    said: str
    seconds: float
    events: int


def configuration(model: str, directory: Path) -> list[str]:
    """What stands behind `amends run`, but for --out: of the tiny model, made in `directory`, or quickstart."""
    if model == "embedded":
        return ["quickstart"]
    made = directory / "model"
    return [*settings(made if made.exists() else speaking_model(made))]


def start(command: Sequence[str], out: Path, disturbed: Disturbed | None = None) -> Ended:
    """Runs `amends run` to its end, or to that which is done to it."""
    disturbed = disturbed or Disturbed()
    said, counted = (out.with_name(f"{out.name}.{name}") for name in ("said", "events"))
    counted.unlink(missing_ok=True)
    process = processes().Process(target=_run, args=(list(command), out, said, counted, disturbed.event))
    process.start()
    process.join(disturbed.seconds)
    began = time.monotonic()
    if process.exitcode is None and process.pid:
        os.kill(process.pid, disturbed.number)
        process.join()
    events = int(counted.read_text()) if counted.exists() else 0
    return Ended(process.exitcode or 0, said.read_text(errors="replace"), time.monotonic() - began, events)


def _run(command: list[str], out: Path, said: Path, counted: Path, kill_at: int | None) -> None:
    """In the process: the real entry point, with its words in a file."""
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inside, events = f"{out}{os.sep}", 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal events
        if event in CHANGING and arguments and str(arguments[0]).startswith(inside):
            if events == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            events += 1

    sys.addaudithook(hook)
    code = run_amends("run", *command, "--out", str(out))
    counted.write_text(str(events))
    sys.exit(code)


def newest(directory: Path) -> str:
    """The file of a run that was written last: what it was at."""
    files: Iterator[tuple[int, str]] = (
        (path.stat().st_mtime_ns, str(path.relative_to(directory))) for path in directory.rglob("*") if path.is_file()
    )
    return max(files, default=(0, "nothing"))[1]
