"""Reads the rows of a file in any of the formats that data sets come in; the file's name says which."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from amends.data.lines import COMPRESSIONS, MAX_LINE_BYTES, RawRow, decoded, ending, raw_lines, read_objects
from amends.errors import InputError

BATCH_ROWS = 256
MAX_HEADER_CHARACTERS = 200  # of a column's name: what is longer is a text of the first row
SEPARATORS = {".csv": (",", "comma"), ".tsv": ("\t", "tab")}
OF_ARROW_FILES = b"ARROW1"  # how Arrow's other format begins; `datasets` writes streams


def read_files(paths: Sequence[Path]) -> Iterator[RawRow]:
    """The rows of several files, one after another, numbered through.

    Raises:
        InputError: by the call for a format that is not known; on iteration for what cannot be read.
    """
    readers = [(path, reader_of(path)) for path in paths]

    def rows() -> Iterator[RawRow]:
        before = 0
        for path, reader in readers:
            number = 0
            for row in reader(path):
                number = row.number
                yield RawRow(before + number, row.place, row.found)
            before += number

    return rows()


def reader_of(path: Path) -> Callable[[Path], Iterator[RawRow]]:
    """What reads a file. Raises InputError where the name does not say its format."""
    if can_be_read(path):
        return READERS[ending(path)]
    raise InputError(
        f"{path}: the format is not known by the file's name; save it in one that is read, whose names end in one of "
        f"{ENDINGS}"
    )


def can_be_read(path: Path) -> bool:
    """Whether a name ends as that of a file which can be read."""
    compressed = path.suffix.lower() in COMPRESSIONS
    return ending(path) in READERS and not (compressed and ending(path) in UNCOMPRESSED)


def read_table(path: Path) -> Iterator[RawRow]:
    """The rows of a CSV or TSV file with a header. All values are text as it stands; an empty cell is None."""
    separator, called = SEPARATORS[ending(path)]
    csv.field_size_limit(MAX_LINE_BYTES)  # the module's own is 128 KiB; it has only one, for all of the process
    lines = csv.reader(_texts(path), delimiter=separator, strict=True)
    header: list[str] = []
    number = 0
    for place, fields in _parted(lines, path):
        if not header:
            header = _header(fields, place)
            continue
        number += 1
        if len(fields) == len(header):
            yield RawRow(number, place, {name: text or None for name, text in zip(header, fields, strict=True)})
        else:
            reason = f"has {len(fields)} fields and the header {len(header)}"
            remedy = f"put quotation marks around a field with a {called}, a quotation mark or a line break in it"
            yield RawRow(number, place, InputError(f"{place}: {reason}; {remedy}"))


def _texts(path: Path) -> Iterator[str]:
    for number, raw in raw_lines(path):
        yield decoded(raw, f"{path}: line {number}")


def _parted(lines: Any, path: Path) -> Iterator[tuple[str, list[str]]]:
    """The fields of each row that is not blank, and where it begins: it can have several lines."""
    while True:
        place = f"{path}: line {lines.line_num + 1}"
        try:
            fields = next(lines, None)
        except csv.Error as error:
            remedy = "is a quotation mark left open, or one inside a field not doubled?"
            raise InputError(f"{place}: cannot be parted into fields ({error}); {remedy}") from None
        if fields is None:
            return
        if len(fields) > 1 or any(field.strip() for field in fields):
            yield place, fields


def _header(fields: list[str], place: str) -> list[str]:
    names = [name.strip() for name in fields]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{place}: the header names column '{twice}' twice; give each a name of its own")
    if any(len(name) > MAX_HEADER_CHARACTERS for name in names):
        raise InputError(f"{place}: is no header; write the names of the columns in the first line")
    if len(names) == 1 and ";" in names[0]:
        raise InputError(f"{place}: the header's columns are parted by semicolons; save the file with commas")
    if "" in names:
        remedy = "name it or drop it (pandas writes its index so, unless told index=False)"
        raise InputError(f"{place}: column {names.index('') + 1} of the header has no name; {remedy}")
    return names


def _read_parquet(path: Path) -> Iterator[RawRow]:
    from pyarrow import parquet

    def batches() -> Iterator[Any]:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH_ROWS)

    return _read_batches(path, batches(), "Parquet")


def _read_arrow(path: Path) -> Iterator[RawRow]:
    import pyarrow

    def batches() -> Iterator[Any]:
        with path.open("rb") as file:
            whole = file.read(len(OF_ARROW_FILES)) == OF_ARROW_FILES
            file.seek(0)
            if whole:
                opened = pyarrow.ipc.open_file(file)
                found: Iterable[Any] = map(opened.get_batch, range(opened.num_record_batches))
            else:
                found = pyarrow.ipc.open_stream(file)
            for batch in found:
                yield from (batch.slice(start, BATCH_ROWS) for start in range(0, len(batch), BATCH_ROWS))

    return _read_batches(path, batches(), "Arrow")


def _read_batches(path: Path, batches: Iterator[Any], called: str) -> Iterator[RawRow]:
    import pyarrow

    number = 0
    try:
        for batch in batches:
            batch.validate(full=True)  # reading offsets that lead out of a damaged batch would end the process
            classes = _classes(batch.schema.metadata)
            for values in batch.to_pylist():
                number += 1
                yield RawRow(number, f"{path}: row {number}", with_class_names(values, classes))
    # A damaged length asks for more memory than there is; that error says nothing of itself.
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        said = str(error) or "it asks for more memory than there is"
        reason = f"{path}: cannot be read as {called} after row {number} ({said})"
        raise InputError(f"{reason}; check that it is complete, or write it again") from error


def _classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Of a file that `datasets` wrote: the names of the classes that it keeps as numbers, by column."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {name: one["names"] for name, one in features.items() if one.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}


def with_class_names(row: dict[str, Any], classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A row with the names of classes for their numbers, so that a label says what it means; -1 stands for none."""
    for column, names in classes.items():
        value = row.get(column)
        if isinstance(value, int):
            row = row | {column: names[value] if 0 <= value < len(names) else None}
    return row


READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".jsonl": read_objects,
    ".json": read_objects,
    ".csv": read_table,
    ".tsv": read_table,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
UNCOMPRESSED = (".parquet", ".arrow")
ENDINGS = ", ".join(
    chain(READERS, (f"{one}{packed}" for one in READERS if one not in UNCOMPRESSED for packed in COMPRESSIONS))
)
