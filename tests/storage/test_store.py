"""Files and locks: whole or as they were, one holder at a time, and devices that are full or refuse."""

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amends.errors import StoreError
from amends.storage.artifacts import Artifact
from amends.storage.files import REMEMBERED_BYTES, file_digest, read_as, read_json, write_atomically, write_json
from amends.storage.locks import full_device, locked
from conftest import HOLDER, refuse_to_sync


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


def test_full_device_while_writing_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    write_json(path, {"rate": 0.5})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", refuse_to_sync)
    with pytest.raises(StoreError, match=r"results\.json: no space left"):
        write_json(path, {"rate": 0.9})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path], "no temporary file is left"


@pytest.mark.parametrize("name", ["file/rows.jsonl", "file/deeper/rows.jsonl"])
def test_path_through_a_file_is_said_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / name
    message = "a part of this path is a file, not a directory"
    with pytest.raises(StoreError, match=message):
        Artifact(path, {}).begin(chunk_rows=3)
    with pytest.raises(StoreError, match=message):
        write_atomically(path, "text")
    with pytest.raises(StoreError, match=message), locked(path.parent / ".lock", path.parent):
        pytest.fail("held what is no directory")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (Path("/proc/x/rows.jsonl"), "its directory cannot be made; choose another output"),
        (Path("/sys/x/rows.jsonl"), "; choose another output"),
        (Path("n" * 300) / "rows.jsonl", "a name in this path is too long; choose a shorter one"),
        (Path("n" * 245 + ".jsonl"), "a name in this path is too long; choose a shorter one"),
    ],
)
def test_where_nothing_can_be_written_is_said_in_words(tmp_path: Path, path: Path, message: str) -> None:
    path = tmp_path / path
    with pytest.raises(StoreError) as caught:
        write_json(path, {})
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EIO])
def test_other_errors_of_the_device_are_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=r"results\.json: .*; choose another output$"):
        write_json(tmp_path / "results.json", {})


def test_write_atomically_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory" / "text"
    write_atomically(path, "first")
    write_atomically(path, "second, Grüße")
    assert path.read_text(encoding="utf-8") == "second, Grüße"
    assert list(path.parent.iterdir()) == [path]


def test_write_atomically_keeps_the_old_text_when_it_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text"
    write_atomically(path, "first")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_read_json_names_a_missing_and_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(StoreError, match=r"results\.json: no such file"):
        read_json(path)
    for damaged in (b'{"a": ', b"\xff\xfe"):
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"results\.json: not readable as JSON"):
            read_json(path)


def test_file_digest_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_digest(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path.write_bytes(b"abd")
    assert file_digest(path) == hashlib.sha256(b"abd").hexdigest()


def test_file_digest_of_a_large_file_is_remembered_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of the same size counts, whatever time of modification the file is given then."""
    monkeypatch.setenv("AMENDS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("amends.storage.files.TICK_NANOSECONDS", 0)
    path = tmp_path / "weights"
    content = b"\0" * REMEMBERED_BYTES
    path.write_bytes(content)
    os.utime(path, ns=(1_000, 1_000))
    first = file_digest(path)
    assert first == hashlib.sha256(content).hexdigest()
    (memory,) = (tmp_path / "cache" / "digests").iterdir()

    def read_again(*_: object) -> None:
        raise AssertionError("read gigabytes again")

    with monkeypatch.context() as unread:
        unread.setattr(hashlib, "file_digest", read_again)
        assert file_digest(path) == first
        memory.write_text(memory.read_text().replace(first, "0" * 64))
        with pytest.raises(AssertionError):
            file_digest(path)
    time.sleep(0.02)  # more than the kernel's tick
    with path.open("r+b") as stream:
        stream.write(b"\1")
    os.utime(path, ns=(1_000, 1_000))
    assert file_digest(path) == hashlib.sha256(b"\1" + content[1:]).hexdigest()


def test_what_was_changed_a_moment_ago_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change within the same tick of the kernel's clock would leave the same times."""
    monkeypatch.setenv("AMENDS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("amends.storage.files.TICK_NANOSECONDS", 60 * 10**9)
    (tmp_path / "weights").write_bytes(b"\0" * REMEMBERED_BYTES)
    file_digest(tmp_path / "weights")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damaged", [b"[" * 100_000, b"1" * 5_000, b'{"a": ', b"\xff", b""])
def test_what_is_no_json_is_one_line(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "timings.json").write_bytes(damaged)
    with pytest.raises(StoreError, match=r"timings\.json: not readable as JSON") as refused:
        read_as(dict[str, float], tmp_path / "timings.json")
    assert "\n" not in str(refused.value)


def test_file_digest_of_a_large_file_needs_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"\0" * ((1 << 24) + 1))
    monkeypatch.setenv("AMENDS_CACHE", str(path / "cache"))
    assert file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc] PytorchStreamWriter failed: file write failed"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 8267648 vs 8267540"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_device_is_known_by_what_libraries_say_of_it(tmp_path: Path, error: Exception) -> None:
    said = r"adapter: no space left on the device; free some .* it resumes"
    with pytest.raises(StoreError, match=said), full_device(tmp_path / "adapter"):
        raise error


def test_other_errors_are_not_taken_for_a_full_device(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), full_device(tmp_path / "adapter"):
        (tmp_path / "none").read_text()
