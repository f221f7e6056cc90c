"""Named things that can be added without editing the package: judges, trainers, methods, metrics, layouts and others.

A registry finds the things that amends brings in the modules of one package, those of other packages through an entry
point, and takes a user's own from Python. What lists them (options, documentation, errors) asks the registry.
"""

import functools
import importlib
import importlib.metadata
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from amends.errors import InputError, in_a_line, unknown
from amends.settings import Seed as Seed
from amends.settings import Settings as Settings
from amends.settings.fields import Named
from amends.settings.problems import UNKNOWN_NAME

Thing = TypeVar("Thing")
Registered = TypeVar("Registered")


class Registry(Mapping[str, Thing]):
    """Things of one kind by name.

    Args:
        what: what one of them is called in messages, such as `judge`.
        package: what registers the things that amends brings, imported at the first look-up: a module, or a package
            whose modules do.
        group: the entry points through which other packages bring theirs, such as `amends.judges`.
        how: how a user registers one of their own, for the message that names what is unknown.
        adapt: makes a thing of what a user registered under a name; by default it is one as it is.

    Example:
        >>> colours: Registry[str] = Registry("colour", "", "amends.colours", "colours.register")
        >>> colours.register("red", "#ff0000")
        '#ff0000'
        >>> colours["red"]
        '#ff0000'
    """

    def __init__(
        self, what: str, package: str, group: str, how: str, adapt: Callable[[str, Any], Thing] | None = None
    ) -> None:
        self.what, self.package, self.group, self.how = what, package, group, how
        self._adapt = adapt
        self.broken: dict[str, str] = {}
        self._things: dict[str, Thing] = {}
        self._places: dict[str, Place] = {}
        self._complete = False

    def register(self, name: str, thing: Registered) -> Registered:
        """Adds a thing and returns it.

        Raises InputError where the name is taken: it names both places.
        """
        self._add(name, thing, _caller())
        return thing

    def decorator(self, name: str) -> Callable[[Registered], Registered]:
        """A decorator that adds the class or function that it stands on, and leaves it as it is.

        Args:
            name: what configurations, options and functions call it from then on.

        Raises InputError where the name is taken: it names both places.

        Example:
            @amends.register_judge("polite")
            class Polite(amends.Judge):
                def score(self, pairs):
                    return [0.1 if "fool" in response else 0.9 for _, response in pairs]
        """
        place = _caller()

        def add(thing: Registered) -> Registered:
            self._add(name, thing, place)
            return thing

        return add

    def remove(self, name: str) -> None:
        """Forgets a thing that was registered, so that its name is free. Raises InputError where there is none."""
        self[name]
        del self._things[name], self._places[name]

    def _add(self, name: str, thing: object, place: "Place") -> None:
        if not self._is_ours(place):
            self._complete_once()  # so that a name which amends has is refused here, and not at the first look-up
        known = self._places.get(name)
        if known not in (None, place):  # a notebook's cell that is run again replaces its own
            raise InputError(f"two {self.what}s are named {name!r}, one in {known} and one in {place}; rename one")
        self._things[name] = self._adapt(name, thing) if self._adapt else thing  # type: ignore[assignment]
        self._places[name] = place

    def _is_ours(self, place: "Place") -> bool:
        return bool(self.package) and f"{place.module}.".startswith(f"{self.package}.")

    def __getitem__(self, name: str) -> Thing:
        """The thing of that name.

        Raises InputError, with the nearest known name and how to register one, where there is none.
        """
        self._complete_once()
        if name in self._things:
            return self._things[name]
        if name in self.broken:
            raise InputError(f"{self.what} {name!r} cannot be used: {self.broken[name]}")
        raise unknown(self.what, name, list(self), self.how)

    def __contains__(self, name: object) -> bool:
        """Whether there is a thing of that name."""
        self._complete_once()
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        """The names: those of amends in the order of its modules, then all others in the order of registration."""
        self._complete_once()
        return iter(self._things)

    def __len__(self) -> int:
        """How many there are."""
        self._complete_once()
        return len(self._things)

    def _complete_once(self) -> None:
        """Imports what registers things; what fails to import is noted in `broken`, and the rest works."""
        if self._complete:
            return
        self._complete = True  # before the imports, which may look something up
        if self.package:
            package = importlib.import_module(self.package)
            for module in sorted(pkgutil.iter_modules(getattr(package, "__path__", ())), key=lambda one: one.name):
                importlib.import_module(f"{self.package}.{module.name}")
        for point in sorted(_entry_points(tuple(sys.path)).select(group=self.group), key=lambda one: one.name):
            self._load(point)
        ours = [name for name, place in self._places.items() if self._is_ours(place)]
        ours.sort(key=lambda name: self._places[name].module)  # whichever of them something else imported first
        self._things = {name: self._things[name] for name in dict.fromkeys([*ours, *self._things])}

    def _load(self, point: importlib.metadata.EntryPoint) -> None:
        """Registers what an entry point names: a thing, or a module that registers things itself."""
        origin = f"{point.value} (of the package {point.dist.name if point.dist else '?'})"
        try:
            thing = point.load()
            if not isinstance(thing, type(sys)):
                self._add(point.name, thing, Place(origin))
        except Exception as error:  # whatever somebody else's module raises
            self.broken[point.name] = f"{origin} fails to load: {in_a_line(error)}"
            logging.getLogger(__name__).warning("%s %r is left out: %s", self.what, point.name, self.broken[point.name])


class NameIn(Named):
    """Marks a setting as the name of a thing in a registry; it is checked when the setting is read.

    Example:
        >>> from typing import Annotated
        >>> colours: Registry[str] = Registry("colour", "", "amends.colours", "colours.register")
        >>> Colour = Annotated[str, NameIn(colours)]
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def names(self) -> list[str]:
        """All names that there are."""
        return list(self.registry)

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        """Text that is one of the names."""
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def _known(self, name: str) -> str:
        try:
            self.registry[name]
        except InputError as error:
            raise PydanticCustomError(UNKNOWN_NAME, "{why}", {"why": str(error)}) from None
        return name


@dataclass(frozen=True)
class Place:
    """Where a thing was registered: as it is said, and the module that did it."""

    said: str
    module: str = ""

    def __str__(self) -> str:
        return self.said


@functools.cache
def _entry_points(path: tuple[str, ...]) -> Any:
    """Those of all packages that are found on a path, to select from: read once for all registries."""
    return importlib.metadata.entry_points()


def _caller() -> Place:
    """File and line of whoever called the registry, beyond amends' own functions that pass on what they are given."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") == __name__ or frame.f_code.co_name.startswith("register_"):
        if frame.f_back is None:
            break
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__", ""))
    if module == "__main__" and "__file__" not in frame.f_globals:
        return Place("this notebook")  # whose cells have a new file name each time they change
    return Place(f"{frame.f_code.co_filename}:{frame.f_lineno}", module)
