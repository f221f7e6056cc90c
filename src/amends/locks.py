"""Who may write an output, and what is said where a device does not let it be written."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

from amends.errors import StoreError

FULL = "no space left on the device; free some and run the same command again, it resumes"


def held(path: Path) -> AbstractContextManager[None]:
    """Holds one output for one process."""
    return locked(path.with_name(f".{path.name}.lock"), path)


@contextmanager
def locked(lock: Path, what: Path) -> Iterator[None]:
    """Holds `what` (a run directory, an output) for one process by a lock file, which goes when it is let go.

    The kernel releases the lock however the process ends. Raises StoreError where another process holds it.
    """
    with device_errors(what):
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = _hold(lock, what)
    with stream:
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _hold(lock: Path, what: Path) -> IO[str]:
    while True:
        stream = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666), "a+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            stream.close()
            raise StoreError(
                f"{what}: held by process {holder}; wait until it ends, or choose another output with --out"
            ) from None
        try:
            ours = os.path.samestat(os.fstat(stream.fileno()), lock.stat())
        except FileNotFoundError:
            ours = False
        if ours:
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            return stream
        stream.close()  # the holder took its lock file away between our opening and our locking it


@contextmanager
def full_device(path: Path) -> Iterator[None]:
    """Raises StoreError where what libraries write for `path` finds the device full, each with an error of its own.

    Nothing else is caught: they read files, too.
    """
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left on device" in str(error) or "file write failed" in str(error):  # safetensors, torch
            raise StoreError(f"{path}: {FULL}") from error
        raise


@contextmanager
def device_errors(path: Path) -> Iterator[None]:
    """Raises StoreError, with what to do, for what a device says where something is written to `path`."""
    reasons = {
        errno.ENOSPC: FULL,
        errno.EDQUOT: "disk quota exceeded; free some space and run the same command again, it resumes",
        **dict.fromkeys((errno.EACCES, errno.EPERM), "no permission to write there; choose another output"),
        errno.ENOENT: "its directory cannot be made; choose another output",
        errno.ENAMETOOLONG: "a name in this path is too long; choose a shorter one",
        errno.ELOOP: "a link lies in its place; remove it, or choose another output",
        errno.EROFS: "the file system is read-only; choose another output",
        errno.EEXIST: "a part of this path is a file, not a directory; choose another output",
        errno.ENOTDIR: "a part of this path is a file, not a directory; choose another output",
    }
    try:
        yield
    except OSError as error:
        reason = reasons.get(error.errno or 0, f"{error.strerror or error}; choose another output")
        raise StoreError(f"{path}: {reason}") from error
