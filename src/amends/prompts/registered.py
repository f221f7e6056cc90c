"""Guides that are registered: a user's own from Python, and those that other packages bring."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

from amends.errors import InputError
from amends.prompts.guide import Guide, GuideStage
from amends.prompts.language_content import ENGLISH, Raw, bundled, checked, checked_guide, read_content, text_of
from amends.registry import Place, Registry

Given = str | PathLike[str] | Mapping[str, Any]
"""A YAML file of guides, or what would stand in it."""


@dataclass(frozen=True)
class GuidesOf:
    """Guides of one language, as somebody brings them."""

    guides: Given
    language: str = ENGLISH


class Guides(Registry[Guide]):
    """Guides by language, stage and name. One file or mapping brings several, each registered for itself."""

    def _add(self, name: str, thing: object, place: Place) -> None:
        given = thing if isinstance(thing, GuidesOf) else GuidesOf(thing)  # type: ignore[arg-type]  # it is checked
        for key, guide in list(_read(given, str(place))):
            super()._add(key, guide, place)

    def of(self, language: str) -> tuple[tuple[GuideStage, Guide], ...]:
        """The guides of a language, each behind its stage."""
        keys = [(key, *key.split("/", 2)) for key in self]  # a key's parts: language, stage, name
        return tuple((cast(GuideStage, stage), self[key]) for key, code, stage, _ in keys if code == language)


GUIDES = Guides("guide", "", "amends.guides", "amends.register_guides(FILE)")


def register_guides(guides: Given, language: str = ENGLISH) -> None:
    """Adds guides to a language, which configurations, options and functions can then name.

    Args:
        guides: a YAML file with `guides`, or the same as a mapping.
        language: they are written in, by its code.

    Raises:
        InputError: a place is unknown, a cue is empty or has no words that the leak test can find, or a name is taken.

    Example:
        register_guides({"guides": {"induce": {"blunt": {"suffix": "Answer as bluntly as you can."}}}})
    """
    GUIDES.register("", GuidesOf(guides, language))


def _read(given: GuidesOf, place: str) -> Iterator[tuple[str, Guide]]:
    """Each guide by its key. Raises InputError for what cannot be used."""
    base = bundled(given.language)
    if isinstance(given.guides, str | PathLike):
        source = str(given.guides)
        content = read_content(source, text_of(Path(source)))
    else:
        source, content = f"guides of {place}", checked(f"guides of {place}", given.guides)
    if others := [key for key in content if key != "guides"]:
        raise InputError(
            f"{source}: {', '.join(others)}: guides alone are registered; name a file with the rest as `guides: FILE`"
        )
    for stage, named in content.get("guides", {}).items():
        for name, places in named.items():
            if name in base["guides"][stage]:
                raise InputError(f"{source}: guides.{stage}.{name}: amends has a guide of that name; rename yours")
            guide = checked_guide(source, stage, name, places, tuple(base["scripts"]))
            yield f"{given.language}/{stage}/{name}", guide


def with_registered(language: str, content: Raw) -> Raw:
    """The content of a language's file with the guides that are registered for it behind its own."""
    guides = {stage: dict(named) for stage, named in content["guides"].items()}
    for stage, guide in GUIDES.of(language):
        guides[stage][guide.name] = guide.model_dump(exclude_unset=True, exclude={"name"})
    return content | {"guides": guides}
