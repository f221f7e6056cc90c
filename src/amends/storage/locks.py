"""Who may write an output, and what is said where a device does not let it be written."""

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from amends.errors import StoreError

FULL = "no space left on the device; free some and run the same command again, it resumes"
ATTEMPTS = 10  # those who let a lock go take its file away, which can be between our opening it and our holding it


def held(path: Path) -> AbstractContextManager[None]:
    """Holds one output for one process."""
    return locked(path.with_name(f".{path.name}.lock"), path)


@contextmanager
def locked(lock: Path, what: Path) -> Iterator[None]:
    """Holds `what` (a run directory, an output) for one process by a lock file, which goes when it is let go.

    The kernel releases the lock however the process ends. Raises StoreError where another process holds it, and where
    the file system has no such locks.
    """
    with device_errors(what):
        holding = _hold(lock, what)
    with holding:
        try:
            yield
        finally:
            # While it is held: whoever opened it before finds that it has no name any more. On a device that does not
            # let it go it stays, and holds nothing: what went wrong there before is what is said.
            with suppress(OSError):
                lock.unlink()


def _hold(lock: Path, what: Path) -> AbstractContextManager[object]:
    """The lock, held, with the number of this process in its file. It waits for nobody, and goes through no link."""
    from filelock import FileLock, Timeout

    def sign(descriptor: int) -> None:
        if not os.path.samestat(os.fstat(descriptor), lock.stat()):
            raise Timeout(str(lock))  # over a network a file that was taken away lives on under another name
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    holding = FileLock(lock, fallback_to_soft=False, on_acquired=sign)
    for _ in range(ATTEMPTS):
        try:
            return holding.acquire(blocking=False)
        except FileNotFoundError:
            continue  # nobody holds it: its name is gone again, or over a network not there yet
        except Timeout:
            with suppress(FileNotFoundError):
                number = lock.read_text(errors="replace").strip()
                holder = f"process {number}" if number else "another process"
                reason = f"held by {holder}; wait until it ends, or choose another output with --out"
                raise StoreError(f"{what}: {reason}") from None
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(lock))


@contextmanager
def full_device(path: Path) -> Iterator[None]:
    """Raises StoreError where what libraries write for `path` finds the device full, each with an error of its own.

    Nothing else is caught: they read files, too.
    """
    try:
        yield
    except Exception as error:
        if _is_of_a_full_device(error):
            raise StoreError(f"{path}: {FULL}") from error
        raise


def _is_of_a_full_device(error: BaseException | None) -> bool:
    """By what safetensors and torch say, or by an error before it, since torch closes what it could not write."""
    if error is None:
        return False
    said = str(error)
    known = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    known |= any(words in said for words in ("No space left on device", "file write failed"))
    known |= "inline_container" in said and "unexpected pos" in said
    return known or _is_of_a_full_device(error.__cause__ or error.__context__)


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
        **dict.fromkeys((errno.ENOSYS, errno.ENOLCK), "its file system has no locks; choose an output on another one"),
        errno.EROFS: "the file system is read-only; choose another output",
        errno.EEXIST: "a part of this path is a file, not a directory; choose another output",
        errno.ENOTDIR: "a part of this path is a file, not a directory; choose another output",
    }
    try:
        yield
    except OSError as error:
        reason = reasons.get(error.errno or 0, f"{error.strerror or error}; choose another output")
        raise StoreError(f"{path}: {reason}") from error
