"""The sets of rows that steps read, by their names: what a stage wrote, or instructions from anywhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions, source_files
from amends.stages.base import made_by


@dataclass(frozen=True)
class SetRows:
    """The rows of a set, read anew each time, so that they are never held in memory."""

    name: str
    settings: DataSettings

    def __iter__(self) -> Iterator[Any]:
        """The rows, as `set_rows` gives them."""
        return set_rows(self.name, self.settings)


def set_rows(name: str, settings: DataSettings) -> Iterator[Any]:
    """The rows of a set, of the record that its name says."""
    maker = made_by(name)
    if maker is None:
        return load_instructions(settings)
    return islice(read_rows(Path(settings.source), maker.record), settings.limit)


def count_rows(settings: DataSettings, name: str = "instructions") -> int | None:
    """Rows of a local set, all of them read, so that a bad one is refused before a model loads; no hub set is read."""
    return count(set_rows(name, settings)) if source_files(settings.source, settings.split) else settings.limit


def count(rows: Iterable[Any]) -> int:
    """How many rows an iterator gives."""
    return sum(1 for _ in rows)
