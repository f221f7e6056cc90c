"""Where an output lies while it is made: `NAME.part`, a file that grows or a directory."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from amends.errors import StoreError
from amends.storage.files import sync, sync_alone, write_atomically


def part_path(path: Path) -> Path:
    """Where a file or directory lies while it is made."""
    return path.with_name(path.name + ".part")


@dataclass(frozen=True)
class Part:
    """The directory that an output, a directory mostly, is made in, before it appears at once.

    A file in it says that it is ours, and from what the output is made. While it is there, what lies at the output's
    place is known to be ours, too, whatever its manifest says.
    """

    output: Path
    fingerprint: str

    @property
    def path(self) -> Path:
        """The directory."""
        return part_path(self.output)

    @property
    def finished(self) -> Path:
        """What is to be put into the output's place."""
        return self.path / "finished"

    @property
    def _mark(self) -> Path:
        return self.path / "fingerprint"

    def is_ours(self) -> bool:
        """Whether it is there, of whatever making."""
        return self._mark.exists()

    def is_begun(self) -> bool:
        """Whether a making of that very fingerprint was interrupted, and this is there to go on from."""
        return self.is_ours() and self._mark.read_bytes() == self.fingerprint.encode()

    def is_foreign(self) -> bool:
        """Whether somebody else's file or directory has its name: not one that was killed while it was claimed."""
        if not self.path.exists() or self.is_ours():
            return False
        beside = f".{self._mark.name}."
        return not self.path.is_dir() or any(not entry.name.startswith(beside) for entry in self.path.iterdir())

    def refuse_foreign(self) -> None:
        """Raises StoreError where it is somebody else's."""
        if self.is_foreign():
            raise foreign_part(self.path)

    def claim(self) -> None:
        """Makes it this making's; what another one left in it is thrown away."""
        if not self.is_begun():
            self.discard()
        write_atomically(self._mark, self.fingerprint)

    def put(self) -> None:
        """Puts what is finished into the output's place, whole and on the device. The caller's manifest vouches."""
        sync(self.finished)
        shutil.rmtree(self.output, ignore_errors=True)
        self.finished.replace(self.output)
        sync_alone(self.output.parent)

    def discard(self) -> None:
        """Removes it, out of its place at once, so that no interruption leaves half of it."""
        scratch = self.path.with_name(f".{self.path.name}.old")
        shutil.rmtree(scratch, ignore_errors=True)
        if self.path.exists():
            self.path.rename(scratch)
            shutil.rmtree(scratch, ignore_errors=True)


def foreign_part(path: Path) -> StoreError:
    """Where a file or directory of somebody else's has a name that amends needs."""
    return StoreError(f"{path}: exists and was not written by amends; move it away or choose another output")
