"""Commands that are imported when they are called: --help of them all needs their names and first lines alone."""

import ast
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

EXAMPLE = "Example:"
"""What the last paragraph of a command's docstring begins with: it ends the command's help."""


@dataclass(frozen=True)
class Place:
    """Where a command's function is, by the command's own name; `context`: settings of click for it.

    `more` makes what its help ends with behind the example, from what only that command imports.
    """

    module: str
    context: Mapping[str, Any] = field(default_factory=dict)
    more: Callable[[], str] | None = None


class Deferred(TyperCommand):
    """Stands for a command in its group until somebody calls it."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, callback=None)
        self.place = place

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first line of the function's docstring, read without importing it."""
        self.help = self.help or _docstring(self.place.module, str(self.name))
        return super().get_short_help_str(limit)

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """The context of the command itself."""
        return self._built().make_context(*arguments, **options)

    def _built(self) -> Any:
        from amends.cli.settings_options import with_options

        function = getattr(importlib.import_module(self.place.module), str(self.name))
        said, _, example = inspect.getdoc(function).partition(EXAMPLE)  # type: ignore[union-attr]  # a test looks
        more = "\n\n" + self.place.more() if self.place.more else ""
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        alone.command(
            self.name,
            help=said.strip(),
            epilog="\b\n" + f"{EXAMPLE}\n  {inspect.cleandoc(example)}{more}".replace("\n\n", "\n\n\b\n"),
            context_settings=dict(self.place.context),
        )(with_options(function))
        return typer.main.get_command(alone)


def group_of(places: Mapping[str, Place]) -> type[TyperGroup]:
    """A kind of group that has these commands."""

    class Group(TyperGroup):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.commands = {name: Deferred(name, place) for name, place in places.items()} | dict(self.commands)

    return Group


def _docstring(module: str, function: str) -> str:
    """The docstring of a function in a module, from its source."""
    found = importlib.util.find_spec(module)
    tree = ast.parse(found.loader.get_source(module))  # type: ignore[union-attr]  # a module of this package
    named = (one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function)
    return ast.get_docstring(next(named)) or ""
