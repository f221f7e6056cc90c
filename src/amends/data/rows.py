"""Makes records of rows, and says of each row that cannot be used where it is, why, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from amends.data.lines import RawRow, kind_of, read_objects
from amends.errors import InputError
from amends.records import Conversation, Instruction, PromptRecord, Record, record_of

T = TypeVar("T", bound=Record)
Convert = Callable[[RawRow], RawRow]

NO_TEXT = "has half a surrogate pair, which is not valid text; drop it"
MAX_COLUMNS_NAMED = 20
MAX_ROWS_NAMED = 10
MAX_ROWS_COUNTED = 1000  # where no row has a column, the whole file need not be read to say so


class _TwiceError(InputError):
    """A row whose id an earlier one has."""

    def __init__(self, row: RawRow, name: str) -> None:
        self.row, self.name = row, name
        super().__init__(self.said(""))

    def said(self, earlier: str) -> str:
        where = f" ({earlier})" if earlier else ""
        return f"{self.row.place}: id '{self.name}' is already that of an earlier row{where}; make the ids distinct"


def read_rows(path: Path, model: type[T]) -> Iterator[T]:
    """The validated rows of a JSONL file, plain or compressed, one at a time; of ids only hashes are kept in memory.

    A missing file is refused by the call itself, a bad row when the iterator comes to it.

    Raises:
        InputError: the file or a row of it cannot be used; names the file, the line and the remedy.
    """
    return validate_rows(
        read_objects(path), model, str(path), lambda row: of_kind(row, model), again=lambda: read_objects(path)
    )


def of_kind(row: RawRow, kind: type[Record]) -> RawRow:
    """The row, as it is. Raises InputError where its columns are those of another record that amends writes."""
    if not issubclass(kind, PromptRecord):
        return row
    found = record_of(frozenset(row.values), kind)
    if found is not kind:
        other = ", or map its columns (--columns prompt=prompt)" if kind is Instruction else ""
        raise InputError(
            f"{row.place}: is a row of {found.__name__}, and rows of {kind.__name__} are read here; name their "
            f"file{other}"
        )
    return row


def validate_rows(
    rows: Iterable[RawRow],
    model: type[T],
    source: str,
    convert: Convert = lambda row: row,
    again: Callable[[], Iterable[RawRow]] | None = None,
) -> Iterator[T]:
    """Makes records of raw rows, whatever kind of file they come from.

    Args:
        rows: as they are read.
        model: the class of the records.
        source: what is named when there are no rows.
        convert: what is done to each row before; it may refuse one.
        again: reads the rows once more, to say which others cannot be used, and which row had an id first; without it
            nothing is read for that.

    Raises:
        InputError: a row does not fit `model`, its id was seen before, or there is no row at all. Names the first such
            row with its remedy, how many more there are, and where the next ones are.
    """
    ids: set[int] = set()  # hashes of 64 bits: a false alarm in one of 30 million files of a million rows

    def record_of(row: RawRow) -> T:
        record = _validate(convert(row), model)
        if hash(record.row_key) in ids:
            raise _TwiceError(row, record.id)
        ids.add(hash(record.row_key))
        return record

    rows = iter(rows)
    for row in rows:
        try:
            record = record_of(row)
        except InputError as error:
            said = str(error)
            if again and isinstance(error, _TwiceError):
                said = error.said(_earlier(error, again(), convert))
            raise InputError(said + (_others(rows, record_of, row) if again else "")) from None
        yield record
    if not ids:
        raise InputError(f"{source}: there are no rows; it needs at least one")


def _earlier(error: _TwiceError, rows: Iterable[RawRow], convert: Convert) -> str:
    """Where the row is that had the id first; empty where it is not found again."""
    for row in rows:
        try:
            values = convert(row).values
            same = values.get("id") == error.name and values.get("draw") == error.row.values.get("draw")
            if same and row.place != error.row.place:
                return _place_seen_from(error.row, row)
        except InputError:
            continue
    return ""


def _place_seen_from(here: RawRow, row: RawRow) -> str:
    """A row's place, without the file where that is the same."""
    (file, _, place), (our_file, _, _) = row.place.rpartition(": "), here.place.rpartition(": ")
    return place if file == our_file else row.place


def _others(rows: Iterator[RawRow], record_of: Callable[[RawRow], Record], first: RawRow) -> str:
    """How many of the rows that are left cannot be used either, and where the first of them are."""
    places: list[str] = []
    end = ""
    try:
        bad = (_place_seen_from(first, row) for row in rows if not _can_be_used(row, record_of))
        places.extend(islice(bad, MAX_ROWS_COUNTED))
    except InputError as error:
        end = f". From there on nothing can be read: {error}"
    return _told(places) + end


def _told(places: Sequence[str]) -> str:
    if not places:
        return ""
    named = ", ".join(places[:MAX_ROWS_NAMED]) + (", ..." if len(places) > MAX_ROWS_NAMED else "")
    count = f"{len(places):,}{' or more' if len(places) == MAX_ROWS_COUNTED else ''}"
    return f". {count} other row{'s' if len(places) > 1 else ''} cannot be used either: {named}"


def _can_be_used(row: RawRow, record_of: Callable[[RawRow], Record]) -> bool:
    try:
        record_of(row)
    except InputError:
        return False
    return True


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


def _validate(row: RawRow, model: type[T]) -> T:
    broken = [name for name in model.model_fields if not is_valid_text(row.values.get(name))]
    if broken:
        raise InputError(f"{row.place}: column '{broken[0]}' {NO_TEXT}")
    try:
        record = model.model_validate(row.values)
    except ValidationError as error:
        raise InputError(f"{row.place}: " + "; ".join(_problems(error, row.values))) from None
    if not record.id.strip():
        raise InputError(f"{row.place}: {_empty('id')}")
    if isinstance(record, PromptRecord) and not str(record.prompt).strip():
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


def is_valid_text(value: Any) -> bool:
    """JSON can escape half of a surrogate pair ("\\ud800"): no character, and an error once it is written as UTF-8."""
    if isinstance(value, str | Conversation):
        return str(value) == printable(str(value))
    if isinstance(value, list | dict):
        return all(is_valid_text(part) for part in (value.values() if isinstance(value, dict) else value))
    return True


def _empty(column: str) -> str:
    return f"column '{column}' is empty; fill it or drop the row"


def _too_long(column: str, problem: ErrorDetails) -> str:
    length, limit = len(problem["input"]), problem["ctx"]["max_length"]
    return f"column '{column}' has {length:,} characters, at most {limit:,} are allowed; shorten it or drop the row"


_DESCRIPTIONS: dict[str, Callable[[str, ErrorDetails], str]] = {
    "string_too_short": lambda column, problem: _empty(column),
    "string_too_long": _too_long,
    "string_type": lambda column, problem: f"column '{column}' is {kind_of(problem['input'])} and has to be text",
}
