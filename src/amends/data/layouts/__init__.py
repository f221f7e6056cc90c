"""How data sets lay their rows out: one object a layout, the first that recognises a row converts it.

Sets with a name stand before the general forms, since they say more of their columns than a general form can know.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amends.data.layouts.base import Fields, Layout, Row, has, plain_name
from amends.data.layouts.general import GENERAL
from amends.data.layouts.labelled import LABELLED
from amends.data.layouts.pairs import PAIRS
from amends.data.layouts.prompts import PROMPTS
from amends.data.layouts.safe import SAFE_BY_DESIGN
from amends.errors import InputError, in_a_line
from amends.registry import Registry

PUBLIC: tuple[Layout, ...] = (*PAIRS, *LABELLED, *SAFE_BY_DESIGN, *PROMPTS)
"""The public data sets that are read by name, each with its licence and address (a list: docs/reference/formats.md)."""

LAYOUTS: Registry[Layout] = Registry(
    "data layout", __name__, "amends.data_layouts", "@amends.register_layout(NAME, COLUMNS)"
)
for _layout in (*PUBLIC, *GENERAL):
    LAYOUTS.register(_layout.name, _layout)
OURS = frozenset(layout.name for layout in (*PUBLIC, *GENERAL))
GIVEN = ("prompt", "chosen", "rejected")

Convert = Callable[[dict[str, Any]], dict[str, Any]]


def recognised(row: Row) -> Layout | None:
    """The layout of a row, by its plain names: a user's own before those that amends brings, in their order."""
    return next((layout for layout in _in_order() if layout.recognises(row)), None)


def _in_order() -> Iterator[Layout]:
    yield from (LAYOUTS[name] for name in LAYOUTS if name not in OURS)
    yield from (*PUBLIC, *GENERAL)


def register_layout(name: str, columns: Iterable[str]) -> Callable[[Convert], Convert]:
    """A decorator for a function that reads the rows of a data set of yours.

    Args:
        name: what the layout is called.
        columns: a row that has all of them is of this layout. They are what the function takes into account: where
            another column speaks against the answer, the row is refused.

    The function is given a row by the names of its file (upper and lower case, and `_` for a space, are one), and
    returns `prompt` and, where there are some, `chosen` (a safe answer) and `rejected` (a bad one).

    Raises InputError where the name is taken, or there is no column.

    Example:
        @register_layout("questions of our support", ["Question", "Good answer"])
        def support(row):
            return {"prompt": row["Question"], "chosen": row["Good answer"]}
    """
    known = frozenset(plain_name(column) for column in columns)
    if not known:
        raise InputError(f"data layout {name!r}: name at least one column that its rows have")

    register = LAYOUTS.decorator(name)

    def add(convert: Convert) -> Convert:
        register(Layout(name, has(*known), _reader(name, convert), known, "said"))
        return convert

    return add


class _ByName(dict[str, Any]):
    """A row whose columns are found by the names of the file, too."""

    def __missing__(self, column: str) -> Any:
        if (plain := plain_name(column)) in self.keys():
            return self[plain]
        raise InputError(f"column '{column}' is missing; the row has {', '.join(self)}")

    def get(self, column: str, default: Any = None) -> Any:
        return self[column] if column in self or plain_name(column) in self else default


def _reader(name: str, convert: Convert) -> Callable[[Row], Fields]:
    def read(row: Row) -> Fields:
        try:
            found = convert(_ByName(row))
            unknown = [key for key in found if key not in GIVEN]
        except InputError:
            raise
        except Exception as error:  # of somebody else's function
            raise InputError(f"layout {name!r} cannot read it: {type(error).__name__}: {in_a_line(error)}") from error
        if unknown or "prompt" not in found:
            raise InputError(
                f"layout {name!r} gives {', '.join(found) or 'nothing'}; it has to give prompt, and may give "
                "chosen and rejected"
            )
        return Fields(found["prompt"], found.get("chosen"), found.get("rejected"))

    return read


__all__ = ["LAYOUTS", "PUBLIC", "Fields", "Layout", "Row", "recognised", "register_layout"]
