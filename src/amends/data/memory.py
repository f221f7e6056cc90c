"""Rows that are in memory, as rows of a file: a list of mappings, a `datasets.Dataset`, a frame, a table of Arrow."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from amends.data.lines import RawRow, kind_of
from amends.data.readers import with_class_names
from amends.errors import InputError
from amends.records import Conversation, Record

CALLED = "rows in memory"
AS_ROWS = ("to_dicts", "to_pylist")
"""What gives the rows of a frame of polars, and of a table of Arrow."""


@runtime_checkable
class Frame(Protocol):
    """What a pandas frame has, so that pandas is not imported to know one; its series have no `columns`."""

    columns: Any

    def to_dict(self, orient: str) -> Any:
        """The rows as mappings, with `orient="records"`."""


def is_table(given: object) -> bool:
    """Whether it is a frame or a table, which gives its rows only when it is asked for them."""
    return isinstance(given, Frame) or any(callable(getattr(given, name, None)) for name in AS_ROWS)


def raw_rows(given: object) -> list[RawRow]:
    """The rows with their numbers from 1; each says where it is, and one that is no mapping why it cannot be read.

    What is missing in a frame (NaN, NaT) is None, and numbers and arrays of numpy are Python's own.

    Raises InputError for what holds no rows, or several splits of them.
    """
    return [
        RawRow(number, f"{CALLED}: row {number}", _columns(row, number)) for number, row in enumerate(_rows(given), 1)
    ]


def _rows(given: object) -> Iterator[object]:
    features = getattr(given, "features", None)
    if isinstance(features, Mapping):
        # A data set, which has a `to_dict` of another kind.
        classes = {
            name: one.names for name, one in features.items() if hasattr(one, "names") and hasattr(one, "int2str")
        }
        return (with_class_names(dict(row), classes) for row in given)  # type: ignore[attr-defined]
    for name in AS_ROWS:
        if callable(as_rows := getattr(given, name, None)):
            return iter(as_rows())
    if isinstance(given, Frame):
        return iter(given.to_dict(orient="records"))
    if isinstance(given, Mapping):
        raise InputError(f"{CALLED}: are one mapping, and a list of rows is read; {_instead_of(given)}")
    if isinstance(given, Iterable):
        return iter(given)
    raise InputError(f"{CALLED}: are {kind_of(given)}; give a list of mappings, a data set or a pandas frame")


def _instead_of(given: Mapping[Any, Any]) -> str:
    """What to give in the place of a mapping: one of several splits, or the rows of columns."""
    names = ", ".join(map(str, given))
    if any(isinstance(value, list | tuple) and value and not isinstance(value[0], Mapping) for value in given.values()):
        return f"its columns ({names}) become rows by pandas.DataFrame(...)"
    return f"name one of its splits: {names}" if given else "it is empty"


def _columns(row: object, number: int) -> dict[str, Any] | InputError:
    if isinstance(row, Record):
        return row.model_dump(mode="json")
    if not isinstance(row, Mapping):
        return InputError(f'{CALLED}: row {number}: is {kind_of(row)}; write rows as {{"id": ..., "prompt": ...}}')
    return {str(name): _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A value as JSON would give it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Conversation):
        return value.model_dump(mode="json")
    if not isinstance(value, str | bytes) and hasattr(value, "tolist"):
        return _plain(value.tolist())
    missing = type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)
    return None if missing else value
