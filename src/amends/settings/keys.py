"""The keys of settings, from their types: where each leads, which hold text, which is meant by a name that is none."""

import types
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from amends.errors import closest

NAMED = "NAME"
"""Stands in a key for a name that the user gives, as of a suite."""

Kind = type[BaseModel]


class Gathers(ABC):
    """Marks a section to which things bring keys that are registered when it is there already."""

    @classmethod
    @abstractmethod
    def brought(cls) -> dict[str, Any]:
        """What `pydantic.create_model` takes: type and default by key."""


def keys(settings: Kind, prefix: str = "") -> Iterator[str]:
    """The dotted keys of settings and of all sections in them."""
    for name, field in settings.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None:
            yield from keys(inner, f"{prefix}{name}.")
        elif named := section_in(of_name(field.annotation)):
            yield from keys(named, f"{prefix}{name}.{NAMED}.")
        else:
            yield prefix + name


def holds_text(settings: Kind, key: str) -> tuple[bool, bool]:
    """Whether a dotted key's value is text, and whether it may be none."""
    options = alternatives(_annotation(settings, key.split(".")))
    return set(options) <= {str, type(None)} and str in options, type(None) in options


def section_at(settings: Kind, location: Sequence[Any]) -> Kind | None:
    """The section that a key leads to; None where it leads to a value, or nowhere."""
    return section_in(_annotation(settings, location))


def nearest_key(settings: Kind, location: Sequence[Any]) -> str:
    """What to add to the refusal of a key that its section does not have: the key that is meant, or those there are."""
    *parents, last = map(str, location)
    section = section_at(settings, parents) or settings
    known = list(dict.fromkeys([*section.model_fields, *(section.brought() if issubclass(section, Gathers) else ())]))
    elsewhere = places(settings, last)
    close = closest(last, known)
    if close and (parents or not elsewhere):
        return f"; did you mean {close!r}?"
    if not elsewhere and not parents:
        name = closest(last, sorted({key.rpartition(".")[2] for key in keys(settings)}))
        elsewhere = places(settings, name) if name else []
    return f"; did you mean {' or '.join(elsewhere)}?" if elsewhere else f"; known: {', '.join(known)}"


def places(settings: Kind, name: str) -> list[str]:
    """The dotted keys of all sections that have a key of this name."""
    return [key for key in keys(settings) if "." in key and key.rpartition(".")[2] == name]


def section_in(annotation: Any) -> Kind | None:
    """The section that a field of this type holds."""
    found = (one for one in alternatives(annotation) if isinstance(one, type) and issubclass(one, BaseModel))
    return next(found, None)


def of_name(annotation: Any) -> Any:
    """The type of the values of a dictionary by names."""
    return next((get_args(one)[1] for one in alternatives(annotation) if get_origin(one) is dict), None)


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types that a value may have."""
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _annotation(settings: Kind, parts: Sequence[Any]) -> Any:
    """The type of what a key leads to; None where it leads nowhere."""
    here: Any = settings
    for part in parts:
        inner = section_in(here)
        field = inner.model_fields.get(str(part)) if inner else None
        here = field.annotation if field else None if inner else of_name(here)
    return here
