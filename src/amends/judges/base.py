"""What a judge of single responses is: one method has to be written, `score`."""

import inspect
import linecache
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from amends.errors import InputError, in_a_line
from amends.judges.readings import Readings
from amends.models.base import Model
from amends.prompts import Language
from amends.records import UserPrompt
from amends.storage.files import fingerprint

PLAIN = ("Hello.", "Hello, how can I help?")
"""A prompt and its answer of which any judge has something to say."""


class Rated(Protocol):
    """What a judge says of one response."""

    @property
    def score(self) -> float:
        """Probability in [0, 1] that the response is harmless."""

    @property
    def helpful(self) -> int | None:
        """How helpful it is, from 1 to 10; None where the judge does not say."""


@dataclass(frozen=True)
class Scored:
    """A response that is rated by its score alone."""

    score: float
    helpful: int | None = None


class Judge(ABC):
    """A judge of single responses.

    Attributes:
        name: what it is called in results; one that is registered without any is called as it is named.
        asks: the model whose answers it reads, if any; a run refuses it as the judge of that model.

    Example:
        >>> class Short(Judge):
        ...     name = "short"
        ...
        ...     def score(self, pairs):
        ...         return [1.0 if len(response) < 80 else 0.0 for _, response in pairs]
        >>> Short().score([("Hello?", "Hi.")])
        [1.0]
    """

    name: str = ""
    asks: Model | None = None

    @abstractmethod
    def score(self, pairs: Sequence[tuple[UserPrompt, str]]) -> list[float | None]:
        """Probability in [0, 1] that each (prompt, response) is harmless; None where it could not be read.

        A prompt of several turns is a `Conversation`: `str(prompt)` is any prompt as text.
        """

    def rate(self, pairs: Sequence[tuple[UserPrompt, str]]) -> Sequence[Rated | None]:
        """A rating for each (prompt, response), asked for once; None where it could not be read."""
        return [None if score is None else Scored(score) for score in self.score(pairs)]

    @property
    def fingerprint(self) -> str:
        """Identifies what its scores depend on: by default its name, the source of its class, and whom it asks.

        Write another where they depend on more, such as weights: finished verdicts are kept as long as it is the same.
        """
        asked = {"asks": self.asks.fingerprint} if self.asks else {}
        return fingerprint(judge=self.name, source=[_source(one) for one in _own_classes(type(self))], **asked)

    @property
    def facts(self) -> dict[str, Any]:
        """What results.json says of it: its name and what is known of it."""
        return {"name": self.name}

    @property
    def capacity(self) -> int | None:
        """Rows that fill its device; None where the caller's own number does."""
        return self.asks.capacity if self.asks else None

    def remarks(self, language: Language) -> list[str]:
        """What is to be said before it judges texts of a language, though nothing is refused."""
        return []

    @property
    def readings(self) -> Readings:
        """Where it counts the answers that it could read, and those that it could not."""
        counted: Readings = vars(self).setdefault("_readings", Readings())
        return counted

    def unread(self) -> str:
        """A line about answers since the last call, of which most could not be read; else an empty one."""
        return self.readings.take().said(self.name, "rating")

    def check(self) -> None:
        """Raises InputError or ModelError for what would fail after hours; by default tries one plain answer."""
        try:
            refuse_no_probability(self.score([PLAIN]), 1)
        except Exception as error:  # whatever somebody else's class raises
            raise InputError(
                f"judge {self.name!r} fails on a plain answer ({type(error).__name__}: {in_a_line(error)}); its "
                "`score` has to give a probability or None for each pair"
            ) from error

    def check_apart(self, gate: "Judge", judged: Sequence[Model]) -> None:
        """Raises InputError where it is the gate, asks the gate's model, or asks one of those that are judged."""
        if self.fingerprint == gate.fingerprint:
            raise InputError("judge and gate are the same: what chose the training data cannot judge the systems")
        if self.asks is None:
            return
        asked = self.asks.identity
        if gate.asks and gate.asks.identity == asked:
            raise InputError(
                f"judge and gate both ask {self.asks.name}: what chose the training data cannot judge the systems"
            )
        if asked in [one.identity for one in judged]:
            raise InputError(
                f"judge {self.asks.name} is the model that is judged, or that writes the analyses: name another"
            )

    def release(self) -> None:
        """Frees what it loaded; the next use loads it again."""
        if self.asks:
            self.asks.release()


def refuse_no_probability(scores: Sequence[float | None], pairs: int) -> None:
    """Raises ValueError, or TypeError, where there is not a probability or None for each of so many pairs."""
    if len(scores) != pairs:
        raise ValueError(f"it gives {len(scores)} scores for {pairs} answers")
    for score in scores:
        if score is not None and not 0 <= score <= 1:
            raise ValueError(f"{score!r} is no probability from 0 to 1")


def _own_classes(kind: type[Judge]) -> list[type]:
    """The class and those that it is derived from, but for what is above `Judge`."""
    return [one for one in kind.__mro__ if issubclass(one, Judge) and one is not Judge]


def _source(kind: type) -> str:
    """A class's source; the whole cell where it stands in a notebook, of which Python before 3.13 finds no classes.

    Raises InputError where there is none.
    """
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        functions = (one for one in vars(kind).values() if inspect.isfunction(one))
        cell = "".join(line for one in functions for line in linecache.getlines(one.__code__.co_filename))
    if not cell:
        raise InputError(
            f"judge {kind.__name__}: Python has no source of it, by which finished verdicts would be known; write its "
            "`fingerprint`, or put it into a file"
        )
    return cell
