"""Settings as options: name, type, default, bounds and help of an option are those of the field that it sets."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo

from amends.errors import ConfigError
from amends.settings import Settings
from amends.settings.fields import bounds, choices, default_in_words, limits_in_words, may_be_none, named
from amends.settings.keys import alternatives

EMPTY = inspect.Parameter.empty
YAML = "YAML"
"""Stands for the value of an option that typer has no type for: it is read as in a configuration."""


@dataclass(frozen=True)
class Of:
    """Makes a parameter the option of one field. What the command itself says of it, type and default, goes before.

    `flag` is its name, where it is not the field's; `also` stands behind its help, and it is passed through `callback`.
    """

    settings: type[Settings]
    field: str
    flag: str | None = None
    also: str = ""
    callback: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Fields:
    """Says of a parameter of settings which options its fields become; `flags` are names that are not theirs."""

    without: Collection[str] = ()
    flags: Mapping[str, str] = field(default_factory=dict)


class Group:
    """Base of options that several commands share: a dataclass whose fields are annotated as a command's parameters."""


def with_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as typer takes it.

    A parameter of a settings class becomes an option for each of its fields, and so does one of a group.
    """
    hints = get_type_hints(function, include_extras=True)
    parameters: list[inspect.Parameter] = []
    sections: dict[str, tuple[type[Settings], dict[str, tuple[str, str]]]] = {}
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        if isinstance(hint, type) and issubclass(hint, Group):
            group = with_options(hint)
            own = inspect.signature(group).parameters
            groups[parameter.name] = group, list(own)
            parameters += own.values()
            continue
        kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        of = next((one for one in marks if isinstance(one, Of)), None)
        if isinstance(kind, type) and issubclass(kind, Settings):
            wanted = next((one for one in marks if isinstance(one, Fields)), Fields())
            options = {
                name: (f"{parameter.name}_{name}", wanted.flags.get(name, flag_of(name)))
                for name in kind.model_fields
                if name not in wanted.without
            }
            sections[parameter.name] = kind, options
            parameters += [_option(name, Of(kind, one, flag)) for one, (name, flag) in options.items()]
        elif of:
            parameters.append(_option(parameter.name, of, kind, parameter.default))
        else:
            parameters.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        for name, (kind, options) in sections.items():
            given = {one: values.pop(option) for one, (option, _) in options.items()}
            values[name] = _settings(kind, given, {one: flag for one, (_, flag) in options.items()})
        for name, (make, names) in groups.items():
            values[name] = make(**{one: values.pop(one) for one in names})
        return function(**values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def flag_of(name: str) -> str:
    """The option of a field, by its name."""
    return f"--{name.replace('_', '-')}"


def _option(name: str, of: Of, kind: Any = None, default: Any = EMPTY) -> inspect.Parameter:
    """A parameter as typer takes it. What is no range of typer's, as above 0, is refused by the settings themselves."""
    found = of.settings.model_fields[of.field]
    kind, metavar = (kind, None) if kind else _kind(found)
    if default is EMPTY and not found.is_required():
        default = found.default
    flag = of.flag or flag_of(of.field)
    limits = bounds(found)
    option = typer.Option(
        f"{flag}/--no-{flag[2:]}" if default is True else flag,
        help=f"{_help(found)} {of.also}".strip(),
        metavar=metavar,
        callback=of.callback,
        min=limits.get("ge"),
        max=limits.get("le"),
    )
    kept = default if metavar != YAML or isinstance(default, str) else default_in_words(found)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=kept, annotation=Annotated[kind, option])


def _kind(found: FieldInfo) -> tuple[Any, str | None]:
    """The type of a field's option, and what stands for its value in --help, where that is not the type."""
    kinds = [one for one in alternatives(found.annotation) if one is not type(None)]
    if all(get_origin(one) is Literal for one in kinds) and (words := choices(found.annotation)):
        return str, f"[{'|'.join(words)}]"
    if len(kinds) == 1 and get_origin(kinds[0]) is list:
        return list[str], "NAME"
    if len(kinds) == 1 and kinds[0] in (int, float, bool, str):
        return (kinds[0] | None if may_be_none(found) else kinds[0]), None
    return str, YAML


def _help(found: FieldInfo) -> str:
    """A field's description, the names that it can be, and those of its bounds that typer does not show."""
    limits = bounds(found)
    strict = f"It is{limits_in_words(found)}." if limits.keys() & {"gt", "lt"} else ""
    several = "Repeat it for several." if get_origin(found.annotation) is list else ""
    one_of = f"It is {of_names.in_words()}." if (of_names := named(found)) else ""
    return " ".join(filter(None, (found.description, one_of, strict, several)))


def _settings(kind: type[Settings], given: Mapping[str, Any], flags: Mapping[str, str]) -> Settings:
    """Settings from what their options were given. Raises ConfigError with every problem, each by the option's name."""
    from yaml import YAMLError

    from amends.text.yaml import read_yaml

    problems: list[str] = []
    values = {}
    for name, value in given.items():
        try:
            if value is not None:
                values[name] = read_yaml(value) if _kind(kind.model_fields[name])[1] == YAML else value
        except YAMLError as error:
            problems.append(f"{name}: is not YAML: {error}")
    try:
        settings = kind.model_validate(values)
        if not problems:
            return settings
    except ConfigError as error:
        problems += error.problems
    named = (problem.partition(":") for problem in problems)
    raise ConfigError("options", [f"{flags.get(key.split('.')[0], key)}{colon}{said}" for key, colon, said in named])
