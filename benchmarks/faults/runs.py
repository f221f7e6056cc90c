"""Runs that the campaigns disturb: of a tiny model that speaks or of the embedded one, each in its own process."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.interposed import What, arm

TESTS = Path(__file__).parents[2] / "tests"
sys.path.insert(0, str(TESTS))  # the tiny model, its judges and the processes are those of the tests

from conftest import record_bytes, run_amends  # noqa: E402
from forked import processes  # noqa: E402
from tiny_run import settings, speaking_model  # noqa: E402

__all__ = ["Disturbed", "Ended", "begin", "configuration", "processes", "record_bytes", "run_amends", "start"]
FREEING, FULL = ("os.remove", "os.rmdir", "os.truncate", "os.rename"), (errno.ENOSPC, errno.EDQUOT)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGING = ("open", "os.rename", "os.mkdir", "os.remove", "os.truncate", "os.rmdir")


@dataclass(frozen=True)
class Disturbed:
    """What happens to a run.

    Attributes:
        event: the number of the event in its directory (a file opened, renamed, removed) at which it kills itself.
        error: of the operating system, which that event and all writing behind it meets in the place of the end.
        seconds: after which it is sent a signal.
        number: the signal, at an event, too; 0 for none: it lives on.
        also: is done before that, to its device.
        loses: whether what it did not wait for is lost at that event: its files that were changed since are empty.
        what: happens to its directory or its clock below Python, in processes that were begun behind `interpose`.
        of_what: the call that it begins with, or its seed.
    """

    event: int | None = None
    error: int | None = None
    seconds: float | None = None
    number: int = signal.SIGKILL
    also: Callable[[], None] | None = None
    loses: bool = False
    what: What = What.NOTHING
    of_what: int = 0


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


def start(command: Sequence[str], out: Path, disturbed: Disturbed | None = None, beside: Path | None = None) -> Ended:
    """Runs `amends run` to its end, or to that which is done to it; what it says goes to files in `beside`."""
    process, said, counted = begin(command, out, disturbed, beside)
    disturbed = disturbed or Disturbed()
    process.join(disturbed.seconds)
    began = time.monotonic()
    if process.exitcode is None and process.pid:
        if disturbed.also:
            disturbed.also()
        os.kill(process.pid, disturbed.number)
        process.join()
    events = int(counted.read_text()) if counted.exists() else 0
    return Ended(process.exitcode or 0, said.read_text(errors="replace"), time.monotonic() - began, events)


def begin(
    command: Sequence[str], out: Path, disturbed: Disturbed | None = None, beside: Path | None = None, name: str = ""
) -> tuple[Any, Path, Path]:
    """Begins one; its process, what it says, and the file with the number of its events, once it has ended."""
    said, counted = ((beside or out.parent) / f"{out.name}{name}.{one}" for one in ("said", "events"))
    counted.unlink(missing_ok=True)
    process = processes().Process(target=_run, args=(list(command), out, said, counted, disturbed or Disturbed()))
    process.start()
    return process, said, counted


def _run(command: list[str], out: Path, said: Path, counted: Path, disturbed: Disturbed) -> None:
    """In the process: the real entry point, with its words in a file."""
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    inside, events, is_over = f"{out}{os.sep}", 0, False
    kept = synced(out) if disturbed.loses else set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal events, is_over
        if is_over or event not in CHANGING or not arguments or not str(arguments[0]).startswith(inside):
            return
        reached, events = disturbed.event is not None and events >= disturbed.event, events + 1
        if reached and disturbed.error is None:
            is_over = True  # what follows is no event of the run
            if disturbed.also:
                disturbed.also()
            if disturbed.loses:
                lose(out, kept)
            os.kill(os.getpid(), disturbed.number)
            return
        if reached and (event not in FREEING or disturbed.error not in FULL):
            if event == "open" and not (arguments[2] or 0) & WRITING:
                return
            raise OSError(disturbed.error, os.strerror(disturbed.error or 0), str(arguments[0]))

    sys.addaudithook(hook)
    if disturbed.what:
        arm(out, disturbed.what, disturbed.of_what)
    code = run_amends("run", *command, "--out", str(out))
    counted.write_text(str(events))
    sys.exit(code)


def synced(directory: Path) -> set[tuple[int, ...]]:
    """States of files that are on the device: those that are there now, and from now on those that are waited for."""
    kept = {state(path.stat()) for path in directory.rglob("*") if path.is_file()}
    real = os.fsync

    def noted(fd: Any) -> None:  # its parameter's name is that of os.fsync
        real(fd)
        kept.add(state(os.fstat(fd)))

    os.fsync = noted
    return kept


def state(status: os.stat_result) -> tuple[int, ...]:
    """What tells one state of one file from another, by whatever name."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def lose(directory: Path, kept: Container[tuple[int, ...]]) -> None:
    """Empties all files that are not as they were waited for: what ext4 may have of them after a power cut."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink() and state(path.stat()) not in kept:
            os.truncate(path, 0)


def newest(directory: Path) -> str:
    """The file of a run that was written last: what it was at."""
    files: Iterator[tuple[int, str]] = (
        (path.stat().st_mtime_ns, str(path.relative_to(directory))) for path in directory.rglob("*") if path.is_file()
    )
    return max(files, default=(0, "nothing"))[1]
