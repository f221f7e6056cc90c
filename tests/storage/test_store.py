"""Files: whole or as they were, and devices that are full or refuse."""

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from amends.errors import StoreError
from amends.storage.artifacts import Artifact
from amends.storage.files import REMEMBERED_BYTES, file_digest, read_as, read_json, write_atomically, write_json
from amends.storage.locks import full_device, locked
from conftest import refuse_to_sync


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
