"""The kinds of judges, by what `judge`, `gate`, --judge and --gate name: one file each, which loads nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from amends.errors import InputError
from amends.judges.base import Judge
from amends.models.base import Model
from amends.models.naming import Factory, Kind, Kinds
from amends.prompts import Language

HOW = (
    "@amends.register_judge(NAME) on a class, or an entry point of the group amends.judges (docs/reference/judging.md)"
)


@dataclass(frozen=True)
class JudgeKind(Kind):
    """A kind of judge.

    Attributes:
        make: takes the argument of the name, and the language that a model is asked in.
        writer: of judges that read what a model writes: makes that model of the argument and the form of its answers.
            Such a judge can compare two responses, too.
    """

    make: Callable[[str, Language], Judge] = field(kw_only=True)
    writer: Callable[[str, type[BaseModel]], Model] | None = None


def _adapted(name: str, registered: Any) -> JudgeKind:
    """The kind of what was registered: a JudgeKind as it is, else what makes a judge."""
    if isinstance(registered, JudgeKind):
        return registered
    if not callable(registered):
        raise InputError(f"judge {name!r} is no class or function that makes a judge")
    factory = Factory(name, registered, ("language",))

    def make(argument: str, language: Language) -> Judge:
        judge = factory(Judge, argument, language=language)  # type: ignore[type-abstract]
        judge.name = judge.name or (f"{name}:{argument}" if argument else name)
        return judge

    return JudgeKind(factory.form, factory.what, make=make)


JUDGES: Kinds[JudgeKind] = Kinds("judge", __name__, "amends.judges", HOW, _adapted)
register_judge = JUDGES.decorator
