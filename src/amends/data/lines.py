"""Opens a file, plain or compressed, and reads its lines and its JSON; says of what cannot be read where and why."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NoReturn

from amends.errors import InputError

# A file without line ends must not be read into memory whole. The longest prompt, escaped, takes 0.6 MiB.
MAX_LINE_BYTES = 16 * 1024 * 1024
LOOKED_AT_BYTES = 4096  # of a file's beginning, to tell a list from lines
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
OTHER_ENDINGS = (".parquet", ".arrow", ".csv", ".tsv")


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


def require_file(path: Path) -> None:
    """Raises InputError unless `path` can be opened as a file, and as often as it is needed."""
    if path.is_dir():
        raise InputError(f"{path}: is a directory; name a file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path (it is looked up from {Path.cwd()})")
    if not path.is_file():
        raise InputError(f"{path}: is a pipe or a device, and files are read more than once; write its rows to a file")


def ending(path: Path) -> str:
    """How a file's name ends, in lower case and without the compression's ending: `.jsonl` of X.JSONL.GZ."""
    return (Path(path.stem) if path.suffix.lower() in COMPRESSIONS else path).suffix.lower()


def read_objects(path: Path) -> Iterator[RawRow]:
    """The objects of a JSON file, not yet validated: one a line, or a list of them.

    Which of both it is, is seen by its first character, whatever its name. Blank lines are skipped, but counted.

    Raises:
        InputError: as `read_rows`, for the file, its encoding and its JSON. A list has to be read whole; a large set
            belongs in lines.
    """
    require_file(path)
    if ending(path) in OTHER_ENDINGS:
        raise InputError(f"{path}: is read as one JSON object a line; convert it to .jsonl")
    return _read_list(path) if _begins_a_list(path) else _read_lines(path)


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers from 1. Raises InputError where it cannot be read, or has no line ends."""
    number = 0
    try:
        with _opened(path) as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if len(raw) > MAX_LINE_BYTES:
                    limit = MAX_LINE_BYTES // 1024**2
                    raise InputError(f"{path}: line {number}: longer than {limit} MiB; write one row a line")
                yield number, raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read after line {number} ({error}); {_remedy(path)}") from error


def decoded(raw: bytes, place: str) -> str:
    """The text of UTF-8 bytes, with or without a byte order mark. Raises InputError where they are something else."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        reason = "it is UTF-16" if utf16 else f"byte {raw[error.start]:#04x} at {error.start + 1}"
        raise InputError(f"{place}: not UTF-8 ({reason}); save the file as UTF-8") from None
    if b"\0" in raw:  # UTF-16 without a byte order mark, or what a power cut left of a file
        where = raw.index(b"\0") + 1
        raise InputError(f"{place}: has a NUL byte at {where}; the file is damaged, or has to be saved as UTF-8")
    return text


def parse_json(raw: bytes, place: str) -> Any:
    """The JSON value in UTF-8 bytes, by the standard: NaN and Infinity, which Python would take, are refused.

    Raises:
        InputError: not UTF-8 or not JSON; `place` says where.
    """
    # Without the line end, a value that breaks off is not said to break off on the next line.
    text = decoded(raw.rstrip(), place)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        reason = f"{error.msg} at {line}column {error.colno}"
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise InputError(f"{place}: not JSON ({reason}); correct it")


def _read_lines(path: Path) -> Iterator[RawRow]:
    first = True
    for number, raw in raw_lines(path):
        if not raw.strip():
            continue
        place = f"{path}: line {number}"
        if first and raw.strip() in (b"{", b"\xef\xbb\xbf{"):
            raise InputError(f"{place}: begins an object of several lines; write one object a line, or a list of them")
        first = False
        yield RawRow(number, place, _object_in(raw, place))


def _read_list(path: Path) -> Iterator[RawRow]:
    try:
        with _opened(path) as stream:
            raw = stream.read()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); {_remedy(path)}") from error
    try:
        values = parse_json(raw, str(path))
    except InputError as error:
        raise InputError(f"{error} (it begins with a bracket, and is read as one list of objects)") from None
    for number, value in enumerate(values, start=1):
        place = f"{path}: row {number}"
        yield RawRow(number, place, _object_or_why_not(value, place))


def _begins_a_list(path: Path) -> bool:
    try:
        with _opened(path) as stream:
            return stream.read1(LOOKED_AT_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    except (OSError, EOFError, zlib.error):
        return False  # which is said when it is read


def _object_in(raw: bytes, place: str) -> dict[str, Any] | InputError:
    try:
        return _object_or_why_not(parse_json(raw, place), place)
    except InputError as error:
        return error


def _object_or_why_not(value: Any, place: str) -> dict[str, Any] | InputError:
    if isinstance(value, dict):
        return value
    return InputError(f'{place}: not a JSON object but {kind_of(value)}; write rows as {{"id": ..., "prompt": ...}}')


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    compression = _compression(path)
    if compression == "gzip":
        return gzip.open(path)
    if compression == "zstd":
        import pyarrow

        return BufferedReader(pyarrow.CompressedInputStream(path.open("rb"), "zstd"))
    return path.open("rb")


def _compression(path: Path) -> str | None:
    return COMPRESSIONS.get(path.suffix.lower())


def _remedy(path: Path) -> str:
    compression = _compression(path)
    return "check that it is complete and readable" + (f" and really {compression}" if compression else "")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value, null is")
