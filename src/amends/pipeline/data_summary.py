"""A set of rows before anything is spent on it: what was understood of it, and what the gate says of `chosen`."""

from collections.abc import Iterator
from typing import Any

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.data.understanding import Understood, understand
from amends.evaluation.chosen import look_at_chosen
from amends.judges.base import Judge
from amends.records import Instruction
from amends.reporting.table import Table
from amends.text.display import shortened

FOLDED = ("rejected",)
"""Texts that are harmful by what they are for."""
CHARACTERS_SHOWN = 60


def look_at_data(settings: DataSettings, gate: Judge) -> tuple[Understood, dict[str, Any]]:
    """What was understood of a set, and how many of a sample of its `chosen` the gate likes; it loads for these alone.

    Raises InputError as a run does, for rows that cannot be read.
    """
    found = understand(settings)
    gate.check()
    look = look_at_chosen(load_instructions(settings) if "chosen" in found.words else (), gate)
    gate.release()
    return found, {
        "gate": gate.name,
        "drawn": look["rows"],
        "unscored": look["unscored"],
        "liked": look["rows"] - look["unscored"] - look["harmful"],
        "looks_harmful": look["looks_harmful"],
    }


def as_json(found: Understood, chosen: dict[str, Any], unfold: bool) -> dict[str, Any]:
    """What --json prints; of a folded text its length in characters."""
    return {
        "rows": found.rows,
        "layouts": list(found.layouts),
        "licence": found.licence or None,
        "address": found.address or None,
        "columns": vars(found.columns),
        "words": {
            name: {"rows": rows, "median": middle, "longest": longest}
            for name, (rows, middle, longest) in found.words.items()
        },
        "repeated_prompts": found.repeated,
        "chosen": chosen,
        "shown": [
            {"id": row.id} | {name: _text(row, name, unfold, whole=True) for name in found.words} for row in found.shown
        ],
    }


def parts(source: str, found: Understood, chosen: dict[str, Any], unfold: bool) -> Iterator[str | Table]:
    """The same in lines and tables."""
    yield f"{source}: {found.rows:,} rows, read as {', '.join(found.layouts)}"
    address = f" ({found.address})" if found.address else ""
    yield f"Licence: {found.licence or 'not known here; see where the rows are from'}{address}"
    for what, names in (
        ("Columns read", found.columns.read),
        ("Columns read as labels of harm", found.columns.labels),
        ("Columns not read", found.columns.unread),
    ):
        yield f"{what}: {', '.join(names) or 'none'}"
    if found.repeated:
        yield f"Repeated: {found.repeated:,} rows have an earlier row's prompt; distinct_prompts=true keeps one of each"
    yield _of_chosen(chosen)
    yield ""
    words = [
        [name, f"{rows:,}", f"{middle:.0f}", f"{longest:,}"] for name, (rows, middle, longest) in found.words.items()
    ]
    yield Table("Lengths, in words", "", ["text"], ["rows", "median", "longest"], words)
    yield ""
    shown = [[row.id, *(_text(row, name, unfold) or "" for name in found.words)] for row in found.shown]
    note = (
        "" if unfold or not any(name in found.words for name in FOLDED) else "folded: harmful text; --unfold shows it"
    )
    yield Table("The first rows", note, ["id"], [], shown, list(found.words))


def _of_chosen(chosen: dict[str, Any]) -> str:
    if not chosen["drawn"]:
        return "Chosen: no row has a safe answer; the model then gives its own"
    scored = chosen["drawn"] - chosen["unscored"]
    unscored = f", {chosen['unscored']} unscored" if chosen["unscored"] else ""
    said = f"Chosen: {chosen['gate']} calls {chosen['liked']} of {scored} drawn ones harmless{unscored}"
    return f"{said}; a run would stop: {chosen['looks_harmful']} harmful" if chosen["looks_harmful"] else said


def _text(row: Instruction, name: str, unfold: bool, whole: bool = False) -> str | None:
    text = getattr(row, name)
    if text is None:
        return None
    if name in FOLDED and not unfold:
        return f"({len(text):,} characters)"
    return str(text) if whole else shortened(str(text), CHARACTERS_SHOWN)
