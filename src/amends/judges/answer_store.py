"""Answers that are kept in a file, by question: SQLite, so that millions of them take no memory and none is lost."""

import hashlib
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from amends.errors import StoreError
from amends.storage.locks import device_errors

WAIT_SECONDS = 60  # for another process that writes
COLUMNS = "key TEXT PRIMARY KEY, answer TEXT NOT NULL, digest TEXT NOT NULL"
TABLE = f"CREATE TABLE IF NOT EXISTS checked ({COLUMNS}) WITHOUT ROWID"


class KeptAnswers:
    """What was answered, by key. The file appears with the first answer; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that are kept, with their answers."""
        if not self.path.exists():
            return {}
        with self._open() as database:
            found = {
                key: database.execute("SELECT answer, digest FROM checked WHERE key = ?", (key,)).fetchone()
                for key in keys
            }
        rows = {key: row for key, row in found.items() if row}
        whole = {key: answer.decode() for key, (answer, digest) in rows.items() if digest == _digest(key, answer)}
        if damaged := len(rows) - len(whole):
            said = f"{damaged} of the answers that are kept there are damaged, and asked for again"
            print(f"amends: {self.path}: {said}", file=sys.stderr)
        return whole

    def keep(self, fresh: Mapping[str, str]) -> None:
        """Keeps answers, all or none."""
        if fresh:
            with device_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as database, database:
                rows = [(key, text, _digest(key, text.encode()).decode()) for key, text in fresh.items()]
                database.executemany("INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as database:
                database.text_factory = bytes  # what is damaged need not be UTF-8
                database.execute(TABLE)
                yield database
        except sqlite3.Error as error:
            if "lock" in str(error):
                raise StoreError(
                    f"{self.path}: cannot be written ({error}); wait for the other command, or set AMENDS_CACHE to a "
                    "directory on a local disk"
                ) from error
            raise StoreError(
                f"{self.path}: the answers of earlier runs cannot be read or kept there ({error}); see whether its "
                "disk is full or may not be written, or delete it: what it holds is then asked again"
            ) from error


def _digest(key: str, answer: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + answer).hexdigest().encode()
