"""Makes instructions of the rows that other data sets have, whatever their layout."""

from collections.abc import Mapping
from typing import Any

from amends.data.layouts import recognised
from amends.data.layouts.base import Fields, plain_row
from amends.data.layouts.evidence import decide
from amends.data.layouts.values import is_blank, without_answer
from amends.data.rows import columns_of, missing_columns
from amends.errors import InputError
from amends.records import id_as_text
from amends.text.reasoning import without_reasoning

CONSTRAINED = ("constraint", "constraint_number", "constraint_text")
OWN_COLUMNS = ("id", "prompt", "chosen", "rejected", "category", *CONSTRAINED)
FLAGGED = (
    "category",
    "harm_category",
    "response_harm_category",
    "response_0_harm_category",
    "response_1_harm_category",
)
"""Columns in which PKU-SafeRLHF and BeaverTails have a flag for each of their categories of harm."""


def map_row(row: Mapping[str, Any], columns: Mapping[str, str] | None, line: int) -> dict[str, Any]:
    """A row of any known layout as the columns of `records.Instruction`, not yet validated.

    Args:
        row: the columns as read.
        columns: our names to theirs, such as `{"prompt": "question", "chosen": "answer"}`. With it, only the columns
            named in it and those that already have our names are read; without it, the layout is recognised.
        line: number of the row from 1; it becomes the id of a row that has none.

    An answer that is blank counts as none, and reasoning in an answer (`<think>` and its like) is no part of it.

    Raises:
        InputError: no layout fits, a column named in `columns` is absent, or a column speaks of the answer and cannot
            be read. The caller adds file and line.
    """
    selected = plain_row(row) if not columns else _select(row, columns)
    fields = _fields_of(row, selected, columns)
    category = selected.get("category")
    return {
        "id": _row_id(selected, line),
        "prompt": fields.prompt,
        "chosen": _answer(fields.chosen),
        "rejected": _answer(fields.rejected),
        # Elsewhere, a column of this name can be anything, such as BeaverTails' object of flags.
        "category": category if isinstance(category, str) else None,
        "categories": _flagged(plain_row(row)),
        **_constraint(selected),
    }


def _constraint(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a program can check of an answer. Where `constraint` is no text, it is something else's column."""
    if not isinstance(row.get("constraint"), str):
        return {}
    return {name: row[name] for name in CONSTRAINED if not is_blank(row.get(name))}


def _flagged(row: Mapping[str, Any]) -> list[str]:
    """The categories of harm that are flagged, of two answers to a prompt those of either; once each."""
    if isinstance(row.get("categories"), list):  # a row that amends wrote
        return [name for name in row["categories"] if isinstance(name, str)]
    flags = (row[column] for column in FLAGGED if isinstance(row.get(column), Mapping))
    return list(dict.fromkeys(str(name) for one in flags for name, flag in one.items() if flag is True))


def _fields_of(row: Mapping[str, Any], selected: Mapping[str, Any], columns: Mapping[str, str] | None) -> Fields:
    found = recognised(selected)
    if found is None:
        raise InputError(
            f"{missing_columns(['prompt'], row)}; rename one to it, or map one with "
            "columns: {prompt: <one of these>} in a configuration, or --columns prompt=NAME"
        )
    named = set((columns or {}).values())
    others = plain_row({name: value for name, value in row.items() if name not in named})
    try:
        fields = found.convert(selected)
        # Who names the column of the answer has looked at it.
        return fields if columns and "chosen" in columns else decide(fields, found, others)
    except RecursionError:
        raise InputError("is nested too deeply to be read; leave out the column that is") from None


def _select(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    for ours, theirs in columns.items():
        if ours not in OWN_COLUMNS:
            raise InputError(f"columns: '{ours}' is none of {', '.join(OWN_COLUMNS)}; write {{our name: their name}}")
        if theirs not in row:
            raise InputError(f"column '{theirs}', named in columns for '{ours}', is missing; {columns_of(row)}")
    names = {name: name for name in OWN_COLUMNS if name in row} | dict(columns)
    taken = {ours: row[theirs] for ours, theirs in names.items()}
    return taken | ({"prompt": without_answer(taken["prompt"])} if "prompt" in columns else {})


def _row_id(row: Mapping[str, Any], line: int) -> Any:
    value = row.get("id")
    return f"row-{line:08d}" if value is None else id_as_text(value)


def _answer(answer: Any) -> Any:
    if is_blank(answer):
        return None
    text = without_reasoning(answer) if isinstance(answer, str) else answer
    return None if is_blank(text) else text
