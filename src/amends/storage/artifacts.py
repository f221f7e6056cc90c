"""JSONL files that grow in whole chunks, and are whole or absent in their place."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from amends.records import Record
from amends.storage.locks import device_errors
from amends.storage.manifests import Manifest
from amends.storage.unfinished import Part, part_path
from amends.storage.vouched import manifest_path

__all__ = ["Artifact", "Manifest", "Part", "manifest_path", "part_path"]


class Artifact(Manifest):
    """A JSONL file that a stage appends to in whole chunks, with its manifest.

    While it grows, its rows lie in `NAME.part`; the finished file appears at once, by renaming. A killed writer leaves
    at most one broken chunk at the end of the part, which the next one cuts off.
    """

    def __init__(
        self, path: Path, parts: Mapping[str, Any], kind: str = "", settings: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(path, parts, kind, settings)
        self.part = part_path(path)
        self.chunk_rows = 0

    def begin(self, chunk_rows: int) -> int:
        """Prepares for appending and returns how many whole chunks of an interrupted writer are kept.

        `self.chunk_rows` is their size from then on: the interrupted writer's where there was one, else the given one.

        Raises StoreError where the file was not written by amends, or was changed since: nobody's work is overwritten.
        """
        self.refuse_changed()
        self.refuse_other_kind()
        if self.is_begun():
            self.chunk_rows = int(self.read()["chunk_rows"])
            self.start(chunk_rows=self.chunk_rows)  # which an interrupted writer may have left half done
            return self._keep_whole_chunks(self.chunk_rows)
        self.refuse_foreign_part()
        self.chunk_rows = chunk_rows
        with device_errors(self.path):
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self.part.write_bytes(b"")  # first: rows of other parts are not to be gone on from
        self.start(chunk_rows=chunk_rows)
        return 0

    def is_begun(self) -> bool:
        """Whether a writer of these very parts was interrupted, and its part is there to go on from."""
        before = self.read()
        ours = before.get("state") == "running" and "chunk_rows" in before and self.is_of_these_parts(before)
        return ours and self.part.exists()

    def kept_rows(self) -> int:
        """How many rows of an interrupted writer of these very parts are kept."""
        if not self.is_begun():
            return 0
        size = int(self.read()["chunk_rows"])
        return size * self._whole_chunks(size)[0]

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
        self.put(self.part, **facts)
