"""Dotted keys (`train.epochs`) set in nested mappings: what overrides and variants do to a configuration."""

from typing import Any

BY_NAME = ("executor",)
"""Sections that a text names: `executor: ray` is `executor: {name: ray}`."""


def put(content: dict[str, Any], key: str, value: Any, where: str, problems: list[str]) -> None:
    """Sets a dotted key. A section on the way that is no mapping is added to `problems`, as said of `where`."""
    place: Any = content
    *sections, last = key.split(".")
    if last in BY_NAME and isinstance(value, str):
        sections, last = [*sections, last], "name"
    for section in sections:
        if isinstance(place, dict) and place.get(section) is None:  # as `columns` is where there are none
            place[section] = {}
        elif section in BY_NAME and isinstance(place, dict) and isinstance(place[section], str):
            place[section] = {"name": place[section]}
        place = place[section] if isinstance(place, dict) else None
    if isinstance(place, dict):
        place[last] = value
    else:
        problems.append(f"{where}: {'.'.join(sections)} is no section")


def merge(content: dict[str, Any], key: str, value: Any, problems: list[str]) -> None:
    """Sets a dotted key; of a section, the keys that are named and no others."""
    if isinstance(value, dict) and isinstance(content.get(key), dict):
        for name, part in value.items():
            put(content[key], str(name), part, f"{key}.{name}", problems)
    else:
        put(content, key, value, f"{key!r}", problems)
