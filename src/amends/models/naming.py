"""What models and judges are named by: `KIND`, `KIND:ARGUMENT`, or what a kind knows as its own, as a directory."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from amends.errors import AmendsError, InputError, in_a_line, unknown
from amends.registry import Registry
from amends.settings.fields import Named


@dataclass(frozen=True)
class Kind:
    """A kind of model or judge.

    Attributes:
        form: how its names are written, for messages, `--help` and the reference: "`probe`", "local:MODEL".
        what: what it is, in a line.
        owns: whether a name that begins with no kind is its own.
    """

    form: str
    what: str
    owns: Callable[[str], bool] = lambda _: False

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return self.what


KindType = TypeVar("KindType", bound=Kind)
Made = TypeVar("Made")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Kinds(Registry[KindType]):
    """Kinds by the word that their names begin with."""

    def find(self, name: str) -> tuple[KindType, str]:
        """The kind that a name is of, and its argument: what stands behind the colon, or a name that is its own.

        Raises InputError, with the nearest name and how to register one, where it is of none.
        """
        word, colon, argument = name.partition(":")
        if word in self or word in self.broken:
            kind = self[word]
            if colon and ":" not in kind.form:
                raise InputError(f"{self.what} {name!r}: {word} takes no argument; write it as {kind.form}")
            if not argument and f"{word}:" in kind.form:
                raise InputError(f"{self.what} {name!r}: is not whole; write it as {kind.form}")
            return kind, argument
        for kind in self.values():
            if kind.owns(name):
                return kind, name
        raise unknown(self.what, name, list(self), self.how, self.forms())

    def forms(self, *words: str) -> list[str]:
        """How names are written, of all kinds or of some: `probe`, a probe file, local:MODEL."""
        kinds = [kind for word, kind in self.items() if not words or word in words]
        return sorted((kind.form for kind in kinds), key=lambda form: (form[0] != "`", ":" in form))

    def written(self, *words: str) -> str:
        """The same in words: "`probe`, a probe file or local:MODEL"."""
        *others, last = self.forms(*words)
        return f"{', '.join(others)} or {last}" if others else last


class NameOf(Named):
    """Marks a setting as the name of a kind. It says how names are written; they are looked up when they are used."""

    def __init__(self, kinds: Kinds[Any]) -> None:
        self.kinds = kinds

    def names(self) -> list[str]:
        """The words that names begin with."""
        return list(self.kinds)

    def in_words(self) -> str:
        """How they are written."""
        return self.kinds.written()


@dataclass(frozen=True)
class Factory:
    """What somebody registered: a class or function that makes one, from an argument where it has such a parameter.

    Args:
        name: it is registered by.
        make: the class or function.
        given: the parameters that are given by name, where it has them, and are no argument.
    """

    name: str
    make: Callable[..., Any]
    given: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """How its names are written."""
        own = [one for word, one in self._parameters.items() if word not in self.given and one.kind in POSITIONAL]
        if not own:
            return f"`{self.name}`"
        written = f":{own[0].name.upper()}"
        return f"{self.name}{written}" if own[0].default is own[0].empty else f"{self.name}[{written}]"

    @property
    def what(self) -> str:
        """The first line of what its author says of it."""
        return (inspect.getdoc(self.make) or "one of your own").splitlines()[0]

    @property
    def _parameters(self) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(self.make).parameters)

    def takes(self, parameter: str) -> bool:
        """Whether it has such a parameter."""
        return parameter in self._parameters

    def __call__(self, kind: type[Made], argument: str, **given: Any) -> Made:
        """Makes one. Raises InputError where that fails, or gives something else than `kind`."""
        title = f"{self.name}:{argument}" if argument else self.name
        told = {word: value for word, value in given.items() if self.takes(word)}
        try:
            made = self.make(*([argument] if argument else []), **told)
        except AmendsError:
            raise
        except Exception as error:  # whatever somebody else's code raises
            raise InputError(f"{title!r} cannot be made ({type(error).__name__}: {in_a_line(error)})") from error
        if not isinstance(made, kind):
            raise InputError(f"{title!r} makes a {type(made).__name__}, which is no amends {kind.__name__}; derive it")
        return made
