"""What a field of settings takes, in words: its type, its bounds, its choices and its default."""

from abc import ABC, abstractmethod
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from amends.settings.keys import alternatives, of_name, section_in

BOUNDS = ("ge", "gt", "le", "lt")
WORDS: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number"}
SEVERAL = {"a whole number": "whole numbers", "a number": "numbers", "text": "texts"}


class Named(ABC):
    """Marks a text as one of the names that there are now."""

    @abstractmethod
    def names(self) -> list[str]:
        """These names."""

    def in_words(self) -> str:
        """How they are written: "`a`, `b` or `c`"."""
        return _either([f"`{name}`" for name in self.names()])


def bounds(field: FieldInfo) -> dict[str, Any]:
    """The bounds of a number, by pydantic's names for them; those of a whole number are numbers that it can be."""
    found = {name: getattr(one, name) for one in field.metadata for name in BOUNDS if hasattr(one, name)}
    if int in alternatives(field.annotation):
        for strict, own, step in (("gt", "ge", 1), ("lt", "le", -1)):
            if strict in found:
                found[own] = found.pop(strict) + step
    return found


def choices(annotation: Any) -> list[str]:
    """The words that a value can be, where there are only these."""
    return [str(word) for one in alternatives(annotation) if get_origin(one) is Literal for word in get_args(one)]


def may_be_none(field: FieldInfo) -> bool:
    """Whether the value can be left out."""
    return type(None) in alternatives(field.annotation)


def named(field: FieldInfo) -> Named | None:
    """The names that the field can be, where it is a name."""
    return next((one for one in field.metadata if isinstance(one, Named)), None)


def in_words(field: FieldInfo) -> str:
    """What the field takes: `a whole number from 1 to 100`."""
    one_of = named(field)
    kinds = [one_of] if one_of else [one for one in alternatives(field.annotation) if one is not type(None)]
    null = ", or null" if may_be_none(field) else ""
    return " or ".join(map(_kind_in_words, kinds)) + limits_in_words(field) + null


def limits_in_words(field: FieldInfo) -> str:
    """The bounds of a number, behind what it is."""
    found = bounds(field)
    if "ge" in found and "le" in found:
        return f" from {found['ge']} to {found['le']}"
    words = {"ge": "from {} on", "gt": "above {}", "le": "up to {}", "lt": "below {}"}
    said = [text.format(found[name]) for name, text in words.items() if name in found]
    return " " + " and ".join(said) if said else ""


def default_in_words(field: FieldInfo) -> str:
    """The default as it is written in a configuration; `needed` where there is none."""
    if field.is_required():
        return "needed"
    if isinstance(field.default, float):
        return f"{field.default:.10f}".rstrip("0").ljust(3, "0")  # YAML takes 5e-05 for a text
    import yaml

    return str(yaml.safe_dump(field.default, default_flow_style=True, width=1000)).removesuffix("\n...\n").strip()


def _either(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def _kind_in_words(kind: Any) -> str:
    one_of = next((one for one in (kind, *getattr(kind, "__metadata__", ())) if isinstance(one, Named)), None)
    if one_of:
        return one_of.in_words()
    if get_origin(kind) is Literal:
        return _either([f"`{word}`" for word in get_args(kind)])
    if get_origin(kind) is list:
        one = _kind_in_words(get_args(kind)[0])
        return f"a list of {SEVERAL.get(one, one)}"
    if of_name(kind) or section_in(kind):
        return "a mapping"
    return WORDS.get(_plain(kind), "text")


def _plain(kind: Any) -> Any:
    """A type without what is annotated to it."""
    return get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
