"""The kinds of models, by what `model`, `analyze.source` and --model name: one file each, which loads nothing heavy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amends.errors import InputError
from amends.models.base import Model
from amends.models.naming import Factory, Kind, Kinds

HOW = "@amends.register_model(NAME) on a class, or an entry point of the group amends.models"
GIVEN = ("system_prompt", "adapter")


@dataclass(frozen=True)
class ModelKind(Kind):
    """A kind of model.

    Attributes:
        make: takes the argument of the name, the system prompt and the adapter; either may be None.
        has_weights: whether its weights are loaded here, so that it can be trained and studied.
    """

    make: Callable[[str, str | None, Path | None], Model] = field(kw_only=True)
    has_weights: bool = False


def _adapted(name: str, registered: Any) -> ModelKind:
    """The kind of what was registered: a ModelKind as it is, else what makes a model."""
    if isinstance(registered, ModelKind):
        return registered
    if not callable(registered):
        raise InputError(f"model {name!r} is no class or function that makes a model")
    factory = Factory(name, registered, GIVEN)

    def make(argument: str, system_prompt: str | None, adapter: Path | None) -> Model:
        for parameter, value in zip(GIVEN, (system_prompt, adapter), strict=True):
            if value is not None and not factory.takes(parameter):
                raise InputError(f"model {name!r} takes no {parameter}; leave it out, or give it such a parameter")
        made = factory(Model, argument, system_prompt=system_prompt, adapter=adapter)  # type: ignore[type-abstract]
        made.system_prompt, made.adapter = system_prompt, adapter
        return made

    return ModelKind(factory.form, factory.what, make=make)


MODELS: Kinds[ModelKind] = Kinds("model", __name__, "amends.models", HOW, _adapted)
register_model = MODELS.decorator
