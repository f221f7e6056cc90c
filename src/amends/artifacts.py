"""Outputs that are whole or absent: JSONL files that grow, and directories, each with a manifest of its inputs."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amends import __version__
from amends.errors import StoreError
from amends.locks import device_errors, held
from amends.records import Record
from amends.store import directory_fingerprint, file_digest, fingerprint, write_atomically, write_json


def manifest_path(path: Path) -> Path:
    """Where the manifest of a file or directory lies."""
    return path.with_name(path.name + ".manifest.json")


def part_path(path: Path) -> Path:
    """Where a file or directory lies while it is made."""
    return path.with_name(path.name + ".part")


@dataclass(frozen=True)
class Part:
    """The directory that an output, a directory mostly, is made in, before it appears at once.

    A file in it says that it is ours, and from what the output is made. While it is there, what lies at the output's place
    is known to be ours, too, whatever its manifest says.
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
        return self.is_ours() and self._mark.read_text() == self.fingerprint

    def is_foreign(self) -> bool:
        """Whether somebody else's file or directory has its name."""
        return self.path.exists() and not self.is_ours()

    def refuse_foreign(self) -> None:
        """Raises StoreError where it is somebody else's."""
        if self.is_foreign():
            raise _foreign_part(self.path)

    def claim(self) -> None:
        """Makes it this making's; what another one left in it is thrown away."""
        if not self.is_begun():
            self.discard()
        write_atomically(self._mark, self.fingerprint)

    def put(self) -> None:
        """Puts what is finished into the output's place."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.finished.replace(self.output)

    def discard(self) -> None:
        """Removes it, out of its place at once, so that no interruption leaves half of it."""
        scratch = self.path.with_name(f".{self.path.name}.old")
        shutil.rmtree(scratch, ignore_errors=True)
        if self.path.exists():
            self.path.rename(scratch)
            shutil.rmtree(scratch, ignore_errors=True)


class Manifest:
    """Says of a file or directory whether it is finished, and from what: `NAME.manifest.json` beside it.

    Args:
        path: the file or directory that the manifest is about.
        parts: what it is made from, by name (settings, inputs, templates, model ...); JSON-able.
        kind: what it holds (mistakes, verdicts ...). It is no part: manifests of before, without one, stay valid.
    """

    def __init__(self, path: Path, parts: dict[str, Any], kind: str = "") -> None:
        if not path.name:
            raise StoreError(f"{path}: is a directory; name an output in it")
        self.path, self.kind = path, kind
        self.manifest_path = manifest_path(path)
        self.parts = {name: fingerprint(part=part) for name, part in {**parts, "amends": __version__}.items()}
        self.fingerprint = fingerprint(parts=self.parts)

    def read(self) -> dict[str, Any]:
        """The manifest's content, or an empty dict where there is none that can be read."""
        try:
            content = json.loads(self.manifest_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def is_finished(self) -> bool:
        """Whether the path exists and was finished from these very parts."""
        content = self.read()
        finished = content.get("state") == "finished" and content.get("fingerprint") == self.fingerprint
        size = content.get("bytes")
        return finished and self.path.exists() and size in (None, self.path.stat().st_size)

    def refuse_other_kind(self) -> None:
        """Raises StoreError where another stage's work lies: a mistyped output must not cost it."""
        there = self.read().get("kind", self.kind)
        if there != self.kind:
            raise StoreError(f"{self.path}: holds {there}, which {self.kind} would replace; choose another output")

    def refuse_changed(self) -> None:
        """Raises StoreError where what is there, a directory mostly, is not as amends left it."""
        if not self.path.exists() or Part(self.path, self.fingerprint).is_ours():
            return
        self.refuse_other_kind()
        known = self.read()
        if not known:
            raise self._not_ours()
        if "contents" in known and known["contents"] != directory_fingerprint(self.path):
            raise self._changed()

    def _not_ours(self) -> StoreError:
        return StoreError(
            f"{self.path}: exists and was not written by amends (no finished {self.manifest_path.name} beside it), and "
            "would be overwritten; move it away or choose another output"
        )

    def _changed(self) -> StoreError:
        return StoreError(
            f"{self.path}: was changed after amends wrote it, and would be overwritten; move it away to make it anew"
        )

    def changed_parts(self) -> list[str]:
        """Names of the parts that differ from those of an earlier making; empty where there was none."""
        before = self.read().get("parts", {})
        return [name for name, value in self.parts.items() if name in before and before[name] != value]

    def take(self, path: Path) -> bool:
        """Copies a file or directory that was finished from these very parts elsewhere, with its manifest, if there is one.

        One of ours that was made from other parts is replaced; nobody else's is.
        """
        twin = self._twin(path)
        if not twin.is_finished() or (self.path.exists() and not self.read()):
            return False
        part = Part(self.path, self.fingerprint)
        if part.is_foreign():
            return False
        self.refuse_changed()
        with device_errors(self.path):
            part.discard()
            part.claim()
            if path.is_dir():
                part.finished.mkdir()
                for file in path.iterdir():
                    shutil.copyfile(file, part.finished / file.name)
            else:
                shutil.copyfile(path, part.finished)
            part.put()
        self.write("finished", **_facts(twin.read()))
        part.discard()
        return True

    def _twin(self, path: Path) -> "Manifest":
        twin = type(self)(path, {}, self.kind)
        twin.fingerprint = self.fingerprint
        return twin

    def write(self, state: str, **facts: Any) -> None:
        """Writes the manifest atomically."""
        kind = {"kind": self.kind} if self.kind else {}
        content = {"state": state, "fingerprint": self.fingerprint, "parts": self.parts, **kind, **facts}
        write_json(self.manifest_path, content)


class Artifact(Manifest):
    """A JSONL file that a stage appends to in whole chunks, with its manifest.

    While it grows, its rows lie in `NAME.part`; the finished file appears at once, by renaming. A killed writer leaves
    at most one broken chunk at the end of the part, which the next one cuts off.
    """

    def __init__(self, path: Path, parts: dict[str, Any], kind: str = "") -> None:
        super().__init__(path, parts, kind)
        self.part = part_path(path)
        self.chunk_rows = 0

    def begin(self, chunk_rows: int) -> int:
        """Prepares for appending and returns how many whole chunks of an interrupted writer are kept.

        `self.chunk_rows` is their size from then on: the interrupted writer's where there was one, else the given one.

        Raises StoreError where the file was not written by amends, or was changed since: nobody's work is overwritten.
        """
        before = self.read()
        if self.path.exists() or self.part.exists():
            self.refuse_other_kind()
        earlier: dict[str, Any] = self._refuse_foreign(before) if self.path.exists() else {}
        if self.is_begun():
            self.chunk_rows = int(before.get("chunk_rows", chunk_rows))
            return self._keep_whole_chunks(self.chunk_rows)
        self._refuse_foreign_part(before)
        self.chunk_rows = chunk_rows
        with device_errors(self.path):
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self.part.write_bytes(b"")
        self.write("running", chunk_rows=chunk_rows, **earlier)
        return 0

    def is_begun(self) -> bool:
        """Whether a writer of these very parts was interrupted, and its part is there to go on from."""
        before = self.read()
        ours = before.get("fingerprint") == self.fingerprint and before.get("state") == "running"
        return ours and self.part.exists()

    def kept_rows(self) -> int:
        """How many rows of an interrupted writer of these very parts are kept."""
        if not self.is_begun():
            return 0
        size = int(self.read().get("chunk_rows", 1))
        return size * self._whole_chunks(size)[0]

    def _refuse_foreign(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Size, digest and manifest of the earlier file; a writer killed while it renamed left digests of two."""
        known = [facts for facts in (manifest, manifest.get("coming", {})) if "sha256" in facts]
        if not known:
            raise self._not_ours()
        digest = file_digest(self.path)
        if digest not in [facts["sha256"] for facts in known]:
            raise self._changed()
        finished = manifest if manifest.get("state") == "finished" else manifest.get("earlier", {})
        return {"bytes": self.path.stat().st_size, "sha256": digest, "earlier": finished}

    def _refuse_foreign_part(self, manifest: dict[str, Any]) -> None:
        if not manifest and self.part.exists() and self.part.stat().st_size:
            raise _foreign_part(self.part)

    def _keep_whole_chunks(self, rows_per_chunk: int) -> int:
        chunks, end = self._whole_chunks(rows_per_chunk)
        os.truncate(self.part, end)
        return chunks

    def _whole_chunks(self, rows_per_chunk: int) -> tuple[int, int]:
        """How many whole chunks the part has, and how many bytes."""
        chunks, chunk_end, position = 0, 0, 0
        with self.part.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                if not line.endswith(b"\n"):
                    break
                position += len(line)
                if number % rows_per_chunk == 0:
                    chunks, chunk_end = chunks + 1, position
        return chunks, chunk_end

    def append(self, rows: Iterable[Record]) -> None:
        """Appends one chunk and waits until it is on the device."""
        text = "".join(row.model_dump_json() + "\n" for row in rows)
        with device_errors(self.path), self.part.open("ab") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def finish(self, **facts: Any) -> None:
        """Puts the file in its place and writes the manifest: rows' facts, size and digest."""
        before = self.read()
        with device_errors(self.path):
            facts["bytes"] = self.part.stat().st_size
            with self.part.open("rb") as stream:
                facts["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
            earlier = {key: before[key] for key in ("bytes", "sha256", "chunk_rows", "earlier") if key in before}
            self.write("running", **earlier, coming=facts)
            self.part.replace(self.path)
        self.write("finished", **facts)

    def take(self, path: Path) -> bool:
        """As for any manifest, but of a file. Raises StoreError where the file here is not one of ours."""
        twin = self._twin(path)
        if not twin.is_finished():
            return False
        before = self.read()
        earlier = self._refuse_foreign(before) if self.path.exists() else {}
        self._refuse_foreign_part(before)
        self.part.unlink(missing_ok=True)  # rows of other parts are not to be gone on from
        self.write("running", **earlier)
        with device_errors(self.path):
            shutil.copyfile(path, self.part)
        self.finish(**_facts(twin.read()))
        return True

    def is_finished(self) -> bool:
        """As for any manifest; and where a writer was killed between the renaming and the manifest, writes the latter.

        What a writer with other parts began to replace, and did not, is finished as before.
        """
        content = self.read()
        coming, earlier = content.get("coming", {}), content.get("earlier", {})
        renamed = bool(coming) and self.path.exists() and not self.part.exists()
        if renamed and content["fingerprint"] == self.fingerprint and file_digest(self.path) == coming["sha256"]:
            self.write("finished", **coming)
        if self.path.exists() and earlier.get("fingerprint") == self.fingerprint:
            with held(self.path):  # so that no other writer comes between reading and writing
                if self.read() == content and file_digest(self.path) == earlier["sha256"]:
                    self.part.unlink(missing_ok=True)
                    write_json(self.manifest_path, earlier)
        return super().is_finished()

    def discard_if_empty(self) -> None:
        """After a failure: leaves nothing behind where no row was written and no earlier file is there."""
        if not self.path.exists() and self.part.exists() and self.part.stat().st_size == 0:
            self.part.unlink()
            self.manifest_path.unlink(missing_ok=True)


def _facts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a finished manifest says beside its state."""
    return {key: value for key, value in manifest.items() if key not in ("state", "fingerprint", "parts", "kind")}


def _foreign_part(path: Path) -> StoreError:
    return StoreError(f"{path}: exists and was not written by amends; move it away or choose another output")
