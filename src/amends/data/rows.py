"""Streams the rows of a JSONL file, and says of each that cannot be used where it is, why, and what to do."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from amends.errors import InputError
from amends.records import PromptRecord, Record

T = TypeVar("T", bound=Record)

# A file without line ends must not be read into memory whole. The longest prompt, escaped, takes 0.6 MiB.
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_COLUMNS_NAMED = 20
MAX_ROWS_NAMED = 10
MAX_ROWS_COUNTED = 1000  # where no row has a column, the whole file need not be read to say so
OTHER_ENDINGS = (".parquet", ".csv", ".tsv")


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row before validation: its number from 1, where it is ("file: line 7"), and its columns or why it has none."""

    number: int
    place: str
    found: dict[str, Any] | InputError

    @property
    def values(self) -> dict[str, Any]:
        """Its columns. Raises InputError where there are none: then the rows behind it can still be read."""
        if isinstance(self.found, InputError):
            raise self.found
        return self.found


def read_rows(path: Path, model: type[T]) -> Iterator[T]:
    """The validated rows of a `.jsonl` or `.jsonl.gz` file, one at a time; only hashes of the ids are kept in memory.

    A missing file is refused by the call itself, a bad row when the iterator comes to it.

    Raises:
        InputError: the file or a row of it cannot be used; names the file, the line and the remedy.
    """
    return validate_rows(read_objects(path), model, str(path))


def validate_rows(
    rows: Iterable[RawRow],
    model: type[T],
    source: str,
    convert: Callable[[RawRow], RawRow] = lambda row: row,
    reads_on: bool = True,
) -> Iterator[T]:
    """Makes records of raw rows, whatever kind of file they come from.

    Args:
        rows: as they are read.
        model: the class of the records.
        source: what is named when there are no rows.
        convert: what is done to each row before; it may refuse one.
        reads_on: whether the rows behind one that cannot be used are read, to say which others cannot be.

    Raises:
        InputError: a row does not fit `model`, its id was seen before, or there is no row at all. Names the first such
            row with its remedy, how many more there are, and where the next ones are.
    """
    ids: set[int] = set()  # hashes of 64 bits: a false alarm in one of 30 million files of a million rows

    def record_of(row: RawRow) -> T:
        record = _validate(convert(row), model)
        if hash(record.id) in ids:
            raise InputError(f"{row.place}: id '{record.id}' is already that of an earlier row; make the ids distinct")
        ids.add(hash(record.id))
        return record

    rows = iter(rows)
    for row in rows:
        try:
            record = record_of(row)
        except InputError as error:
            raise InputError(f"{error}{_others(rows, record_of) if reads_on else ''}") from None
        yield record
    if not ids:
        raise InputError(f"{source}: there are no rows; it needs at least one")


def _others(rows: Iterator[RawRow], record_of: Callable[[RawRow], Record]) -> str:
    """How many of the rows that are left cannot be used either, and where the first of them are."""
    places: list[str] = []
    end = ""
    try:
        places.extend(islice(_bad_places(rows, record_of), MAX_ROWS_COUNTED))
    except InputError as error:
        end = f". From there on nothing can be read: {error}"
    return _told(places) + end


def _told(places: Sequence[str]) -> str:
    if not places:
        return ""
    named = ", ".join(places[:MAX_ROWS_NAMED]) + (", ..." if len(places) > MAX_ROWS_NAMED else "")
    count = f"{len(places):,}{' or more' if len(places) == MAX_ROWS_COUNTED else ''}"
    return f". {count} other row{'s' if len(places) > 1 else ''} cannot be used either: {named}"


def _bad_places(rows: Iterator[RawRow], record_of: Callable[[RawRow], Record]) -> Iterator[str]:
    for row in rows:
        try:
            record_of(row)
        except InputError:
            yield row.place.rpartition(": ")[2]


def read_objects(path: Path) -> Iterator[RawRow]:
    """The JSON objects of a JSONL file, not yet validated. Blank lines are skipped, but counted.

    Raises:
        InputError: as `read_rows`, for the file, its encoding and its JSON.
    """
    require_file(path)
    if path.suffix.lower() in OTHER_ENDINGS:
        raise InputError(f"{path}: is read as one JSON object a line; convert it to .jsonl")
    return _read_lines(path)


def require_file(path: Path) -> None:
    """Raises InputError unless `path` can be opened as a file."""
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name a file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path (it is looked up from {Path.cwd()})")


def parse_json(raw: bytes, place: str) -> Any:
    """The JSON value in UTF-8 bytes, by the standard: NaN and Infinity, which Python would take, are refused.

    Raises:
        InputError: not UTF-8 or not JSON; `place` says where.
    """
    try:
        # Without the line end, a value that breaks off is not said to break off on the next line.
        text = raw.rstrip().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"byte {raw[error.start]:#04x} at {error.start + 1}"
        raise InputError(f"{place}: not UTF-8 ({reason}); save the file as UTF-8") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        reason = f"{error.msg} at {line}column {error.colno}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise InputError(f"{place}: not JSON ({reason}); correct it (a file with one object a line is named .jsonl)")


def _object_in(raw: bytes, place: str) -> dict[str, Any] | InputError:
    try:
        return object_or_why_not(parse_json(raw, place), place)
    except InputError as error:
        return error


def object_or_why_not(value: Any, place: str) -> dict[str, Any] | InputError:
    """The value itself, when it is a JSON object, or what is wrong with it."""
    if isinstance(value, dict):
        return value
    return InputError(f'{place}: not a JSON object but {_kind(value)}; write rows as {{"id": ..., "prompt": ...}}')


def missing_columns(names: Sequence[str], row: Mapping[str, Any]) -> str:
    """What is said of a row without some columns: these, and those that it has."""
    several = len(names) > 1
    named = ", ".join(f"'{name}'" for name in names)
    return f"column{'s' if several else ''} {named} {'are' if several else 'is'} missing; {columns_of(row)}"


def columns_of(row: Mapping[str, Any]) -> str:
    """Names the columns of a row."""
    names = [printable(name) for name in row]
    more = f" and {len(names) - MAX_COLUMNS_NAMED} more" if len(names) > MAX_COLUMNS_NAMED else ""
    return "the row has columns " + (", ".join(names[:MAX_COLUMNS_NAMED]) or "none") + more


def printable(text: str) -> str:
    """Text of a row as it can be printed, with what is no valid text escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _read_lines(path: Path) -> Iterator[RawRow]:
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), start=1):
                place = f"{path}: line {number}"
                if len(raw) > MAX_LINE_BYTES:
                    limit = MAX_LINE_BYTES // 1024**2
                    raise InputError(f"{place}: longer than {limit} MiB; write one JSON object a line")
                if raw.strip():
                    yield RawRow(number, place, _object_in(raw, place))
    except (OSError, EOFError, zlib.error) as error:
        remedy = "check that it is complete and readable" + (" and really gzip" if _is_gzip(path) else "")
        raise InputError(f"{path}: cannot be read after line {number} ({error}); {remedy}") from error


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path) if _is_gzip(path) else path.open("rb")


def _is_gzip(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value, null is")


def _validate(row: RawRow, model: type[T]) -> T:
    broken = [name for name in model.model_fields if not _is_valid_text(row.values.get(name))]
    if broken:
        raise InputError(
            f"{row.place}: column '{broken[0]}' has half a surrogate pair, which is not valid text; drop it"
        )
    try:
        record = model.model_validate(row.values)
    except ValidationError as error:
        raise InputError(f"{row.place}: " + "; ".join(_problems(error, row.values))) from None
    if not record.id.strip():
        raise InputError(f"{row.place}: {_empty('id')}")
    if isinstance(record, PromptRecord) and not record.prompt.strip():
        raise InputError(f"{row.place}: {_empty('prompt')}")
    return record


def _problems(error: ValidationError, row: Mapping[str, Any]) -> list[str]:
    found = error.errors(include_url=False)
    missing = [str(one["loc"][0]) for one in found if one["type"] == "missing" and len(one["loc"]) == 1]
    remedy = "rename columns, or name the file that amends wrote for this"
    first = [f"{missing_columns(missing, row)}; {remedy}"] if missing else []
    return first + [_describe(one) for one in found if one["type"] != "missing" or len(one["loc"]) > 1]


def _describe(problem: ErrorDetails) -> str:
    column = ".".join(str(part) for part in problem["loc"])
    describe = _DESCRIPTIONS.get(problem["type"])
    return describe(column, problem) if describe else f"column '{column}': {problem['msg']}"


def _is_valid_text(value: Any) -> bool:
    """JSON can escape half of a surrogate pair ("\\ud800"): no character, and an error once it is written as UTF-8."""
    if isinstance(value, str):
        return value == printable(value)
    if isinstance(value, list | dict):
        return all(_is_valid_text(part) for part in (value.values() if isinstance(value, dict) else value))
    return True


def _empty(column: str) -> str:
    return f"column '{column}' is empty; fill it or drop the row"


def _too_long(column: str, problem: ErrorDetails) -> str:
    length, limit = len(problem["input"]), problem["ctx"]["max_length"]
    return f"column '{column}' has {length:,} characters, at most {limit:,} are allowed; shorten it or drop the row"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


_DESCRIPTIONS: dict[str, Callable[[str, ErrorDetails], str]] = {
    "string_too_short": lambda column, problem: _empty(column),
    "string_too_long": _too_long,
    "string_type": lambda column, problem: f"column '{column}' is {_kind(problem['input'])} and has to be text",
}
