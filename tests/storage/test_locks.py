"""One process holds an output, and who may not is told who does."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from amends.errors import StoreError
from amends.storage.files import write_atomically
from amends.storage.locks import locked
from conftest import HOLDER


def start_holder(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_lock_names_its_holder_and_is_free_after_a_kill(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    holder = start_holder(directory)
    try:
        with (
            pytest.raises(StoreError, match=rf"run: held by process {holder.pid};"),
            locked(directory / ".lock", directory),
        ):
            pytest.fail("two processes held the directory")
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(directory / ".lock", directory):
        assert (directory / ".lock").read_text() == str(os.getpid())


def test_neither_a_lock_nor_a_temporary_file_goes_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".lock").symlink_to(victim)
    with pytest.raises(StoreError, match="a link lies in its place"), locked(tmp_path / ".lock", tmp_path):
        pytest.fail("a link was held")
    (tmp_path / f".out.json.{os.getpid()}.tmp").symlink_to(victim)
    write_atomically(tmp_path / "out.json", "ours")
    assert (victim.read_text(), (tmp_path / "out.json").read_text()) == ("mine", "ours")


def test_lock_is_free_after_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / ".lock", tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path / ".lock", tmp_path):
        pass


def test_a_lock_file_that_cannot_go_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device that is read-only from some moment on."""

    def refuse(path: Path, **_: bool) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        with pytest.raises(StoreError, match="what was written"), locked(tmp_path / ".lock", tmp_path):
            raise StoreError("what was written")
    with locked(tmp_path / ".lock", tmp_path):
        pass


def test_many_processes_hold_a_lock_one_after_the_other(tmp_path: Path) -> None:
    """The lock file goes each time it is let go; nobody may hold one that is gone beside its successor's holder."""
    code = """
import sys, time
from pathlib import Path
from amends.errors import StoreError
from amends.storage.locks import locked
lock, inside = Path(sys.argv[1]) / "lock", Path(sys.argv[1]) / "inside"
held = 0
while held < 40:
    try:
        with locked(lock, lock):
            inside.mkdir()  # fails where another process is inside
            inside.rmdir()
            held += 1
    except StoreError:
        time.sleep(0.0005)
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(240) for process in processes] == [0, 0, 0, 0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A lock that is only a file that is there would outlive whoever was killed."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StoreError, match="its file system has no locks"), locked(tmp_path / ".lock", tmp_path):
        pytest.fail("held without a lock")


def test_a_lock_file_that_was_taken_away_meanwhile_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a network it lives on under another name as long as somebody has it open."""
    lock, flock, renamed = tmp_path / ".lock", fcntl.flock, tmp_path / ".nfs0001"

    def lock_it_late(descriptor: int, operation: int) -> None:
        if not renamed.exists():
            lock.rename(renamed)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", lock_it_late)
    with locked(lock, tmp_path):
        assert lock.read_text() == str(os.getpid())
        assert renamed.read_text() == ""


def test_a_lock_file_whose_name_comes_late_is_held_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a network a name may not be found at once by the process that made it."""
    lock, real, late = tmp_path / ".lock", Path.stat, [True, True]

    def find(path: Path, **named: bool) -> os.stat_result:
        if path == lock and late:
            late.pop()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return real(path, **named)

    monkeypatch.setattr(Path, "stat", find)
    with locked(lock, tmp_path):
        assert not late


def test_a_holder_that_has_not_signed_is_another_process(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="held by another process; wait"), locked(lock, tmp_path):
            pytest.fail("held twice")
