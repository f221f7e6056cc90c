"""Reads YAML that anyone may have written: what is no plain data, or would take long, is one YAMLError of one line."""

import re
from typing import Any

import yaml

MOST_CHARACTERS = 1_000_000
MOST_NODES = 20_000
"""Values that may be in a file, with those that an alias (`*name`) repeats: a dozen lines can mean billions."""
DEEPEST = 50
LARGEST_INTEGER = 1 << 63
OTHER_BASE = re.compile(r"[-+]?(0[\d_]+\Z|\d[\d_]*:)")
"""Numbers that YAML takes for octal ones (010 is 8) or for those to the base of 60 (1:30 is 90)."""


def read_yaml(text: str) -> Any:
    """The one document in a text. Raises yaml.YAMLError, whose text is one line, for whatever cannot be read."""
    try:
        _refuse_bombs(text)
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")
        said = said.replace("found character '\\t' that cannot start any token", "found a tab, indent with spaces")
        raise yaml.YAMLError(said[:300]) from None


def _refuse_bombs(text: str) -> None:
    """Raises YAMLError for what is too much to be built, before it is built: PyYAML's parser does not recurse."""
    if len(text) > MOST_CHARACTERS:
        raise yaml.YAMLError(f"it has more than {MOST_CHARACTERS:,} characters")
    nodes, sizes = 0, {}  # type: int, dict[str, int | None]
    begun: list[tuple[str, int]] = []
    for event in yaml.parse(text, yaml.SafeLoader):
        anchor: str = getattr(event, "anchor", None) or ""
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(anchor, 0)
            if size is None:
                raise yaml.YAMLError(f"*{anchor} is a part of itself{event.start_mark}")
            nodes += size
        elif isinstance(event, yaml.CollectionStartEvent):
            begun.append((anchor, nodes))
            nodes += 1
            sizes |= {anchor: None} if anchor else {}
        elif isinstance(event, yaml.CollectionEndEvent):
            of, before = begun.pop()
            sizes |= {of: nodes - before} if of else {}
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            sizes |= {anchor: 1} if anchor else {}
        if len(begun) > DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {DEEPEST} levels deep{event.start_mark}")
        if nodes > MOST_NODES:
            raise yaml.YAMLError(f"it has more than {MOST_NODES:,} values{event.start_mark}")


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice (YAML takes the last one without a word), and names what it cannot read."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} is there twice; put what belongs to it in one place",
                    problem_mark=key.start_mark,
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)  # type: ignore[no-untyped-call]
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):  # of `!!int ''`, 2024-13-45, ...
            raise _unreadable(node) from None
        if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
            raise _unreadable(node)
        if (
            isinstance(value, int | float)
            and OTHER_BASE.match(written := str(node.value))
            and not _is_so(written, value)
        ):
            raise yaml.constructor.ConstructorError(
                problem=f"{node.value!r} would be {value} in YAML; write that, or put text in quotes",
                problem_mark=node.start_mark,
            )
        return value


def _is_so(written: str, value: float) -> bool:
    """Whether a number is what people read, as in 007."""
    return written.isdecimal() and int(written) == value


def _unreadable(node: yaml.Node) -> yaml.constructor.ConstructorError:
    kind, text = node.tag.rpartition(":")[2], str(node.value)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    return yaml.constructor.ConstructorError(
        problem=f"{shown!r} cannot be read as {kind}; put text in quotes", problem_mark=node.start_mark
    )
