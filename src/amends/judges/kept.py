"""Answers that are kept in a file, by question: SQLite, so that millions of them take no memory and none is lost."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from amends.errors import StoreError
from amends.locks import device_errors

WAIT_SECONDS = 60  # for another process that writes
TABLE = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"


class KeptAnswers:
    """What was answered, by key. The file appears with the first answer; several processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of the keys that are kept, with their answers."""
        if not self.path.exists():
            return {}
        with self._open() as database:
            rows = (
                (key, database.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()) for key in keys
            )
            return {key: row[0] for key, row in rows if row}

    def keep(self, fresh: Mapping[str, str]) -> None:
        """Keeps answers, all or none."""
        if fresh:
            with device_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._open() as database, database:
                database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", fresh.items())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_SECONDS)) as database:
                database.execute(TABLE)
                yield database
        except sqlite3.Error as error:
            if "lock" in str(error):
                raise StoreError(
                    f"{self.path}: cannot be written ({error}); wait for the other command, or set AMENDS_CACHE to a "
                    "directory on a local disk"
                ) from error
            raise StoreError(
                f"{self.path}: the answers of earlier runs cannot be read or kept there ({error}); see whether its disk is "
                "full or may not be written, or delete it: what it holds is then asked again"
            ) from error
