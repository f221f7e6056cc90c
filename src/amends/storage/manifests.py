"""Outputs that are finished or not at any moment, whenever a writer is killed."""

import shutil
from pathlib import Path
from typing import Any

from amends.storage.files import sync, sync_alone
from amends.storage.locks import device_errors, held
from amends.storage.manifest_content import changed_in, contents, write_content
from amends.storage.unfinished import Part, foreign_part, part_path
from amends.storage.vouched import OWN, Vouched, remove


class Manifest(Vouched):
    """Says of a file or directory whether it is finished, and from what: `NAME.manifest.json` beside it.

    While an output is made anew, the one of before lies in `NAME.bak`, and its manifest in the new one, as `earlier`.
    The manifest says "running" from before anything is moved until the new output is in its place and on the device.
    """

    def is_finished(self) -> bool:
        """Whether the output was finished from these very parts; completes what a killed writer left.

        Raises DamagedError where something is finished there, of whatever parts, and is not any more as it was written.
        """
        self._settle()
        self._restore()
        self.refuse_damaged()
        content = self.read()
        return content.get("state") == "finished" and self.is_of_these_parts(content) and self.path.exists()

    def start(self, **facts: Any) -> None:
        """Says that the output is being made: what was there before lies in `NAME.bak` from now on.

        Raises StoreError where it was not written by amends, or was changed since.
        """
        self.refuse_changed()
        content = self.read()
        with device_errors(self.path):
            if self.path.exists() and self._is_unvouched(content):
                shutil.rmtree(self.path)
            earlier = content if content.get("state") == "finished" else content.get("earlier", {})
            if self.path.exists() and self.backup.exists():
                raise foreign_part(self.backup)
            moved = self.path.exists() or ("earlier" in content and self.backup.exists())
            if self.summary:
                self.summary.unlink(missing_ok=True)
            self.write("running", **({"earlier": earlier} if moved else {}), **facts)
            if self.path.exists():
                self.path.rename(self.backup)
                sync_alone(self.path.parent)

    def put(self, made: Path, **facts: Any) -> None:
        """Puts what was made into its place, whole and on the device, and only then says that it is finished."""
        with device_errors(self.path):
            sync(made)
            facts |= contents(made)
            before = self.read()
            kept = {name: before[name] for name in ("earlier", "chunk_rows") if name in before}
            self.write("running", **kept, coming=facts)
            made.replace(self.path)
            sync_alone(self.path.parent)
        self.vouch(**facts)

    def vouch(self, **facts: Any) -> None:
        """Says that what lies there is finished, once it is on the device; what was there before goes."""
        with device_errors(self.path):
            if "earlier" in self.read():
                remove(self.backup)
        self.write("finished", **facts)

    def withdraw(self) -> None:
        """After a failure that left nothing to go on from: what was there before is there again."""
        content = self.read()
        if content.get("state") != "running" or self.has_work() or self.path.exists():
            return
        if not part_path(self.path).is_dir():
            part_path(self.path).unlink(missing_ok=True)
        if content.get("earlier") and self.backup.exists():
            self._put_back(content["earlier"])
        else:
            self.manifest_path.unlink(missing_ok=True)

    def set_aside(self) -> None:
        """Makes what nothing vouches for, since it or its manifest is damaged, the output of before."""
        with device_errors(self.path):
            if not part_path(self.path).is_dir():  # rows of nobody knows which parts
                remove(part_path(self.path))
            if not self.path.exists():
                self.manifest_path.unlink(missing_ok=True)
                return
            self.write("running", earlier={"state": "finished"})
            remove(self.backup)
            self.path.rename(self.backup)
            sync_alone(self.path.parent)

    def take(self, path: Path) -> bool:
        """Copies a file or directory that was finished from these very parts elsewhere, with its facts, if there is.

        One of ours that was made from other parts is replaced; nobody else's is.
        """
        twin = type(self)(path, {}, self.kind, self.settings)
        twin.parts, twin.fingerprint = self.parts, self.fingerprint
        if not twin.is_finished() or (path.is_dir() and self.path.exists() and not self.read()):
            return False
        part = Part(self.path, self.fingerprint)
        if path.is_dir() and part.is_foreign():
            return False
        self.refuse_foreign_part()
        self.start()
        facts = {name: value for name, value in twin.read().items() if name not in OWN}
        with device_errors(self.path):
            if path.is_dir():
                part.discard()
                part.claim()
                part.finished.mkdir()
                for file in path.iterdir():
                    shutil.copyfile(file, part.finished / file.name)
            else:
                shutil.copyfile(path, part.path)
        self.put(part.finished if path.is_dir() else part.path, **facts)
        part.discard()
        return True

    def _settle(self) -> None:
        """Finishes what a writer, of whatever parts, was killed at between putting it in place and saying so."""
        content = self.read()
        coming = content.get("coming", {})
        if not coming or not self.path.exists() or changed_in(self.path, coming):
            return
        with held(self.path):
            if self.read() == content:
                if "earlier" in content:
                    remove(self.backup)
                own = {name: value for name, value in content.items() if name in OWN}
                write_content(self.manifest_path, {**own, **coming, "state": "finished"})

    def _restore(self) -> None:
        """Gives back what lies in `NAME.bak` where it is of these very parts, and its successor was given up."""
        content = self.read()
        earlier = content.get("earlier", {})
        if content.get("state") != "running" or not self.is_of_these_parts(earlier) or not self.parts:
            return
        if self.has_work() and not self.overwrite:
            return
        if self.backup.exists() and self.path.exists() and not self._is_unvouched(content):
            return
        for place in (self.backup, self.path):
            if place.exists() and not changed_in(place, earlier):
                with held(self.path):
                    if self.read() == content:
                        self._put_back(earlier)
                return

    def _put_back(self, earlier: dict[str, Any]) -> None:
        if self.backup.exists():
            remove(self.path)
            self.backup.rename(self.path)
            sync_alone(self.path.parent)
        write_content(self.manifest_path, earlier)
        if part_path(self.path).is_dir():
            Part(self.path, self.fingerprint).discard()
        else:
            remove(part_path(self.path))
