"""Directories that vouch for themselves: the digests of all files lie in one of them, which is written last."""

import json
from pathlib import Path

from amends.storage.files import file_digest, fingerprint, sync, sync_alone, write_atomically

SEAL = "digests"  # without an ending, since a model's fingerprint is over the files that end in .json


def seal(directory: Path) -> None:
    """Says of a directory that it is whole, once all of it is on the device. Raises StoreError, OSError."""
    sync(directory)
    files = _digests(directory)
    write_atomically(directory / SEAL, json.dumps({"files": files, "digest": fingerprint(files=files)}))
    sync_alone(directory.parent)


def is_sealed(directory: Path) -> bool:
    """Whether a directory is there, whole, as it was sealed."""
    try:
        said = json.loads((directory / SEAL).read_text(encoding="utf-8"))
        return bool(said == {"files": (files := _digests(directory)), "digest": fingerprint(files=files)})
    except (OSError, ValueError, RecursionError):
        return False


def _digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path.name != SEAL)
    return {path.relative_to(directory).as_posix(): file_digest(path) for path in files}
