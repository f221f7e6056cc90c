"""What a layout is: how it is recognised, what it gives of a row, and which of its columns it understands."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from amends.data.layouts.labels import Reading

Row = Mapping[str, Any]
"""A row by its column names as `plain_name` writes them."""

Taken = Literal["labelled", "implicit", "said"]
"""What makes an answer `chosen`: a label that calls it safe, no word against it, or that the file (or set) says so."""


@dataclass(frozen=True)
class Fields:
    """What a row says. `chosen` is an answer that may be one: the labels beside it still decide."""

    prompt: Any
    chosen: Any = None
    rejected: Any = None
    asks_harm: Reading | None = None
    """`HARMFUL` or `SAFE` where the row says what kind of thing its prompt asks for."""
    read: frozenset[str] = frozenset()
    """Columns that this row was read from, beside those that the layout understands in all rows."""
    beside: tuple[tuple[str, Any], ...] = ()
    """Names and values that stand beside the answer elsewhere than in a column, such as in its message."""


@dataclass(frozen=True)
class Layout:
    """A way to lay out a row.

    Args:
        name: of the data set, or of the general form.
        recognises: whether a row has this layout. What it reads of labels does not matter here.
        convert: what the row says. Raises InputError for a row that cannot be read.
        understands: columns that say nothing of the answer, or whose word `convert` has taken into account. The labels
            in all other columns are read, and a row with one that cannot be read is refused.
        taken: what makes the answer `chosen`.
        licence, address: of a public data set, as its page says.
    """

    name: str
    recognises: Callable[[Row], bool]
    convert: Callable[[Row], Fields]
    understands: frozenset[str] = frozenset()
    taken: Taken = "labelled"
    licence: str = ""
    address: str = ""

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return self.licence or "a general form"


def plain_name(column: str) -> str:
    """A column's name without what differs between copies of a set: "Response Label" and "response-label" are one."""
    return "_".join(column.strip().lower().replace("-", " ").replace(".", " ").split())


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row by plain names; where two columns have the same, the plainly written one is taken, the other kept."""
    plain: dict[str, Any] = {}
    for column, value in row.items():
        name = plain_name(column)
        plain[column if name in row or name in plain else name] = value
    return plain


def has(*columns: str, without: Iterable[str] = ()) -> Callable[[Row], bool]:
    """Recognises rows with all of the columns, and none of those in `without`."""
    needed, unwanted = frozenset(columns), frozenset(without)
    return lambda row: row.keys() >= needed and not row.keys() & unwanted
