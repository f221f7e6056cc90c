"""Sections whose keys registered things bring, such as the shares of kinds of samples."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, create_model, model_validator

from amends.errors import InputError
from amends.settings import Settings
from amends.settings.keys import Gathers

Own = TypeVar("Own", bound=Settings)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Gathered(Settings, Gathers):
    """Base of a section to which things bring keys, also those that are registered when it is there already."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="before")
    @classmethod
    def _keys_of_now(cls, values: Any) -> Any:
        known = values if isinstance(values, dict) else {}
        later = {key: value for key, value in known.items() if key not in cls.model_fields}
        if not later:
            return values
        brought = {key: form for key, form in cls.brought().items() if key not in cls.model_fields}
        read = create_model(cls.__name__, __base__=_Strict, **brought).model_validate(later)
        return values | read.model_dump(exclude_unset=True)


def keys_of_all(what: str, settings: Mapping[str, type[Settings]]) -> dict[str, Any]:
    """The keys that the settings of several things bring, as `pydantic.create_model` takes them.

    Args:
        what: what one of the things is called in messages, such as `trainer`.
        settings: those of each, by its name.

    Raises InputError where two have a key of the same name.
    """
    found: dict[str, Any] = {}
    whose: dict[str, str] = {}
    for name, own in settings.items():
        for key, field in own.model_fields.items():
            if key in found:
                raise InputError(f"{what}s {whose[key]!r} and {name!r} both have a setting {key!r}; rename one")
            found[key], whose[key] = (field.annotation, field), name
    return found


def own_settings(given: Settings, kind: type[Own]) -> Own:
    """What one thing is told, of a section with the keys of several; keys that are not there have their defaults."""
    values = given.model_dump()
    return kind(**{key: values[key] for key in kind.model_fields if key in values})
