"""What is wrong with settings, in our words: every problem with its full key, what is there, and what is meant."""

from datetime import date
from typing import Any

from pydantic import BaseModel, ValidationError

from amends.errors import closest
from amends.settings.keys import nearest_key, section_at

LONGEST_SHOWN = 200
UNKNOWN_NAME = "unknown_name"
"""The type of the error of a setting that names what no registry has; its message is whole."""


def problems(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """All problems of settings, each a sentence behind its key."""
    return [_problem(detail, settings) for detail in error.errors()]


def shortened(value: Any) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _problem(detail: Any, settings: type[BaseModel]) -> str:
    location, given, kind = detail["loc"], detail.get("input"), detail["type"]
    key = ".".join(str(part) for part in location if part != "[key]")
    said = _said(key, kind, given, location, settings, detail["msg"]) or _pydantics(detail)
    return f"{key}: {said}" if key else said


def _said(
    key: str, kind: str, given: Any, location: tuple[Any, ...], settings: type[BaseModel], message: str
) -> str | None:
    """What we say of a problem that people often have."""
    if kind == UNKNOWN_NAME:
        return message
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key{nearest_key(settings, location)}"
    if kind == "missing":
        of_suite = location[0] == "suites" and len(location) > 1
        return "is missing" + ("; a suite has a source and a kind: is its name right?" if of_suite else "")
    if kind == "string_pattern_mismatch":
        return "is empty; is the file there that it comes from? (null, or leaving it out, means none)"
    if kind == "too_short":
        return "is empty; name at least one"
    if kind == "model_type":
        section = section_at(settings, location) or settings
        return f"is a section; set its keys, as in {key}.{next(iter(section.model_fields))}=..."
    if kind == "string_type" and isinstance(given, bool | int | float | date):
        return f"is text, and YAML reads {given!s} in it; put it in quotes, as in {key}: '007'"
    return None


def _pydantics(detail: Any) -> str:
    """The library's own message, with what is there, and the nearest of the words that it takes."""
    message, given = detail["msg"], detail.get("input")
    if detail["type"] == "literal_error" and isinstance(given, str):
        known = [word.strip("'") for word in str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        close = closest(given, known)
        message += f"; did you mean {close!r}?" if close else ""
    shown = f" (it is {shortened(given)})" if isinstance(given, str | int | float | bool) else ""
    return f"{message[0].lower()}{message[1:]}{shown}"
