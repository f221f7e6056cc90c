"""Fingerprints, and files that are read with clear errors and written whole or not at all."""

import errno
import glob
import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from amends.errors import InputError, StoreError, in_a_line
from amends.storage.locks import device_errors

Kind = TypeVar("Kind")
REMEMBERED_BYTES = 1 << 20  # below, a file is read sooner than what is remembered of it
LONGEST_PLACE = 100  # characters of somebody's key in a message
TICK_NANOSECONDS = 100_000_000  # ten times what Linux rounds a file's times to
MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")


def fingerprint(**parts: Any) -> str:
    """Hash of JSON-able parts, which is equal where they are."""
    payload = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(payload.encode()).hexdigest()


def expanded(name: str) -> Path:
    """A path as the user wrote it, `~` for a home. Raises InputError where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise InputError(f"{name}: there is no such user's home; write the path out") from None


def cache_directory() -> Path:
    """Where the unpacked embedded model, digests and judges' answers are kept: $AMENDS_CACHE or ~/.cache/amends."""
    return Path(os.environ.get("AMENDS_CACHE") or Path.home() / ".cache" / "amends")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; of a large one remembered, so that gigabytes are read once.

    What is remembered is of one file on one device as it was last changed. The time of that change is the kernel's: an
    edited file has another one, whatever time of modification it was given.
    """
    began, status = time.time_ns(), path.stat()
    if status.st_size < REMEMBERED_BYTES:
        return _digest(path)
    memory = _memory(status)
    if known := _remembered(memory):
        return known
    digest = _digest(path)
    # A change within the clock's tick would leave the same time; one while the file was read is of another file.
    if began - status.st_ctime_ns > TICK_NANOSECONDS and _memory(path.stat()) == memory:
        with suppress(StoreError):  # it only costs time where it cannot be remembered
            write_atomically(memory, f"{digest} {fingerprint(name=memory.name, digest=digest)}")
    return digest


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _memory(status: os.stat_result) -> Path:
    """Where the digest of a file in this very state is remembered."""
    state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return cache_directory() / "digests" / fingerprint(state=state)


def _remembered(memory: Path) -> str | None:
    """What is remembered there; None where that is nothing, or damaged."""
    try:
        digest, check = memory.read_text(encoding="utf-8").split(" ")
    except (OSError, ValueError):
        return None
    return digest if check == fingerprint(name=memory.name, digest=digest) else None


def model_files(directory: Path) -> dict[str, str]:
    """Digests of a model's or adapter's files, by their names."""
    files = sorted({path for pattern in MODEL_FILES for path in directory.glob(pattern)})
    return {path.name: file_digest(path) for path in files}


def directory_fingerprint(directory: Path) -> str:
    """Hash over the names and contents of a model's or adapter's files."""
    return fingerprint(files=model_files(directory))


def sync(path: Path) -> None:
    """Waits until a file, or a directory with all files in it, is on the device."""
    if path.is_dir():
        for entry in path.iterdir():
            sync(entry)
    sync_alone(path)


def sync_alone(path: Path) -> None:
    """Waits until a file is on the device; of a directory, until the names in it are, as after a file was renamed."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP):  # as some network file systems say
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Replaces a file's content whole or not at all. Raises StoreError where the device is full or not writable."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with device_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.unlink(missing_ok=True)  # of an earlier process with our number, or a link
            with temporary.open("x", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            sync_alone(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
        clear_after_killed(path)


def clear_after_killed(path: Path) -> None:
    """Takes away what processes that were killed here left of this file; what cannot be taken away does no harm."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError, ValueError, OverflowError):  # not ours to ask about, or no number
            try:
                os.kill(int(left.name.split(".")[-2]), 0)
            except ProcessLookupError:
                left.unlink()


def json_text(value: Any) -> str:
    """Indented JSON with a stable key order, as it is written everywhere."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON with a stable key order, atomically."""
    write_atomically(path, json_text(value))


def read_json(path: Path) -> Any:
    """Reads JSON; raises StoreError naming the file where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file; finish the run that writes it first") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits and deep nesting are no JSON to Python
        raise StoreError(f"{path}: not readable as JSON ({in_a_line(error)}); delete it and run again") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); delete it and run again") from None


def read_as(kind: type[Kind], path: Path) -> Kind:
    """A JSON file as `kind`; raises StoreError naming the file and what is wrong with it."""
    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])[:LONGEST_PLACE]
        said = f"{where}: {problem['msg']}" if where else problem["msg"]
        raise StoreError(f"{path}: {said}; run the command that writes it again") from None
