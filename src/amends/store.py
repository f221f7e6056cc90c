"""Fingerprints, and files that are read with clear errors and written whole or not at all."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from amends.errors import InputError, StoreError
from amends.locks import device_errors

Kind = TypeVar("Kind")
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
    """Where the unpacked embedded model, file digests and judges' answers are kept: $AMENDS_CACHE, else ~/.cache/amends."""
    return Path(os.environ.get("AMENDS_CACHE") or Path.home() / ".cache" / "amends")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; remembered by size and modification time, so that gigabytes are read once."""
    status = path.stat()
    key = f"{path.resolve()}:{status.st_size}:{status.st_mtime_ns}"
    memory = cache_directory() / "digests" / hashlib.sha256(key.encode()).hexdigest()
    if memory.exists() and status.st_size > 1 << 24:
        return memory.read_text()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if status.st_size > 1 << 24:
        with suppress(StoreError):  # it only costs time where it cannot be remembered
            write_atomically(memory, digest)
    return digest


def directory_fingerprint(directory: Path) -> str:
    """Hash over the names and contents of a model's or adapter's files."""
    files = sorted({path for pattern in MODEL_FILES for path in directory.glob(pattern)})
    return fingerprint(files={path.name: file_digest(path) for path in files})


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
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON with a stable key order, atomically."""
    write_atomically(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Reads JSON; raises StoreError naming the file where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file; finish the run that writes it first") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: not readable as JSON ({error}); delete it and run again") from None


def read_as(kind: type[Kind], path: Path) -> Kind:
    """A JSON file as `kind`; raises StoreError naming the file and what is wrong with it."""
    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        said = f"{where}: {problem['msg']}" if where else problem["msg"]
        raise StoreError(f"{path}: {said}; run the command that writes it again") from None
