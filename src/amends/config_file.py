"""Configurations from files and options: unknown keys with a suggestion, all problems at once, `key=value` overrides."""

import difflib
import re
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from amends.config import AnalyzeSettings, AnswerSettings, Configuration, InduceSettings, Settings, SuiteSettings
from amends.errors import ConfigError, InputError
from amends.methods import METHODS, with_starts

SettingsType = TypeVar("SettingsType", bound=Settings)

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
NAME_RULE = "names are letters, digits, - and _ and begin with a letter or digit (they become file names)"
TEXTS = ("system_prompt",)
"""Keys whose values on the command line are no YAML."""
SHARED = ("model", "seed", "seeds", "limit", "suites", "judge", "gate", "variants")
"""What all variants of a configuration have in common, or they could not be compared."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice: YAML takes the last one without a word."""

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


def checked_settings(kind: type[SettingsType], values: dict[str, Any]) -> SettingsType:
    """A section from command-line options. Raises ConfigError with every problem."""
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError("options", [_problem(detail) for detail in error.errors()]) from None
    sections = {InduceSettings: "induce", AnalyzeSettings: "analyze", AnswerSettings: "answer"}
    section = sections.get(kind)
    problems = _guide_problems(section, settings.guides) if section else []  # type: ignore[attr-defined]
    if problems:
        raise ConfigError("options", problems)
    return settings


def load_configuration(path: Path, overrides: list[str] | None = None, limit: int | None = None) -> Configuration:
    """Reads a YAML file and applies `key=value` overrides (`train.epochs=3`; values are YAML, but for `system_prompt`,
    which is text as it is).

    `limit` caps the rows of every set.

    Raises:
        ConfigError: every problem at once, each with the key's full name.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(str(path), [f"no such file; the configurations at hand: {_at_hand()}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-13-45, which YAML reads as a date
        raise ConfigError(str(path), [f"is not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(content, dict):
        raise ConfigError(str(path), ["is no mapping of keys to values; see configs/quickstart.yaml"])
    problems: list[str] = []
    for override in overrides or []:
        _apply(content, override, problems)
    if limit is not None:
        content["limit"] = limit
    _limit_sets(content)
    configuration = _validated(content, problems)
    problems += _problems_together(configuration)
    if configuration and not problems:
        try:
            variants(configuration)
        except ConfigError as error:
            problems += error.problems
    if problems or configuration is None:
        raise ConfigError(str(path), problems)
    return configuration


def variants(configuration: Configuration) -> dict[str, Configuration]:
    """The configurations of the variants by name. Raises ConfigError with every problem."""
    found, problems = {}, []
    for name, changes in configuration.variants.items():
        content = configuration.model_dump(mode="json", exclude={"variants"})
        own: list[str] = []
        if not re.fullmatch(NAME, name):
            own.append(NAME_RULE)
        own += [f"{key}: a variant has none of its own" for key in changes if key.split(".")[0] in SHARED]
        for key, value in changes.items():
            _merge(content, key, value, own)
        _limit_sets(content)
        variant = _validated(content, own)
        own += _problems_together(variant)
        problems += [f"variants.{name}: {problem}" for problem in own]
        if variant:
            found[name] = variant
    if problems:
        raise ConfigError("variants", problems)
    return found


def _at_hand() -> str:
    return ", ".join(str(path) for path in sorted(Path("configs").glob("*.yaml"))) or "none in ./configs"


def _apply(content: dict[str, Any], override: str, problems: list[str]) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        problems.append(f"override {override!r}: write it as key=value, as in train.epochs=3")
        return
    try:
        override.encode()
        value = _as_it_is(text) if key in TEXTS else yaml.load(text, _Loader)
    except UnicodeEncodeError:
        problems.append(f"{key}: is not UTF-8; save the file that it comes from as UTF-8")
        return
    except (yaml.YAMLError, ValueError):
        problems.append(f"override {override!r}: the value is not YAML")
        return
    suites, name = content.get("suites"), key.removeprefix("suites.")
    of_suite = key != name and "." not in name
    if of_suite and value is None and isinstance(suites, dict) and name not in suites:
        problems.append(f"override {override!r}: there is no such suite; known: {', '.join(suites)}")
    _put(content, key, value, f"override {override!r}", problems)


def _as_it_is(text: str) -> str | None:
    """Text that YAML would cut at a `#`, fold or refuse: a page of Markdown, mostly. `null` means none."""
    return None if text == "null" else text


def _merge(content: dict[str, Any], key: str, value: Any, problems: list[str]) -> None:
    """Sets a dotted key; of a section, the keys that are named and no others."""
    if isinstance(value, dict) and isinstance(content.get(key), dict):
        for name, part in value.items():
            _put(content[key], str(name), part, f"{key}.{name}", problems)
    else:
        _put(content, key, value, f"{key!r}", problems)


def _put(content: dict[str, Any], key: str, value: Any, where: str, problems: list[str]) -> None:
    """Sets a dotted key."""
    place: Any = content
    *sections, last = key.split(".")
    for section in sections:
        place = place.setdefault(section, {}) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place[last] = value
    else:
        problems.append(f"{where}: {'.'.join(sections)} is no section")


def _validated(content: dict[str, Any], problems: list[str]) -> Configuration | None:
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        problems.extend(_problem(detail) for detail in error.errors())
        return None


def _problem(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest_key(detail['loc'])}"
    if detail["type"] == "missing":
        of_suite = "; a suite has a source and a kind: is its name right?" if detail["loc"][0] == "suites" else ""
        return f"{key}: is missing{of_suite}"
    if detail["type"] == "string_pattern_mismatch":
        return f"{key}: is empty; is the file there that it comes from? (null, or leaving it out, means none)"
    if detail["type"] == "too_short":
        return f"{key}: is empty; name at least one"
    if detail["type"] == "model_type":
        return f"{key}: is a section; set its keys, as in {key}.{next(iter(_section(detail['loc']).model_fields))}=..."
    given = detail.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"]
    if detail["type"] == "literal_error" and isinstance(given, str):
        known = [word.strip("'") for word in str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        close = difflib.get_close_matches(given, known, 1)
        message += f"; did you mean {close[0]!r}?" if close else ""
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _section(location: tuple[Any, ...]) -> type[Settings]:
    """The section that a key leads to."""
    section: type[Settings] = Configuration
    for part in location:
        field = section.model_fields.get(str(part))
        annotation = field.annotation if field else SuiteSettings
        options = [annotation, *getattr(annotation, "__args__", ())]
        section = next((one for one in options if isinstance(one, type) and issubclass(one, Settings)), SuiteSettings)
    return section


def _nearest_key(location: tuple[Any, ...]) -> str:
    known = list(_section(location[:-1]).model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _problems_together(configuration: Configuration | None) -> list[str]:
    """What no key alone is wrong in: names that other files know, and keys that do not go together."""
    if configuration is None:
        return []
    problems: list[str] = []
    for section in ("induce", "analyze", "answer"):
        problems += _guide_problems(section, getattr(configuration, section).guides)
    problems += _guide_problems("respond", [configuration.respond.guide])
    problems += [f"suites.{name}: {NAME_RULE}" for name in configuration.suites if not re.fullmatch(NAME, name)]
    if len(set(configuration.seeds)) < len(configuration.seeds) or len(configuration.seeds) == 1:
        problems.append("seeds: name at least two different ones (or seed alone)")
    if configuration.judge == configuration.gate:
        problems.append("judge: is the gate too; the judge that evaluates must not have chosen the data (name another)")
    completions = configuration.train.rows_a_step
    rlhf = any(METHODS[name].trainer == "rlhf" for name in configuration.methods)
    if rlhf and not configuration.preference.fill(configuration.train):
        problems.append(
            f"preference.generations: must divide the {completions} answers of a step (train.batch_size x "
            "train.gradient_accumulation)"
        )
    for method in with_starts(configuration.methods):
        kinds = METHODS[method].kinds
        if kinds and not any(configuration.shares[kind] for kind in kinds):
            zero = ", ".join(f"compose.{kind}" for kind in kinds)
            problems.append(f"{zero}: {method} has nothing to train on where all of these are 0")
    if len(set(configuration.methods)) < len(configuration.methods):
        problems.append("methods: a method is named twice")
    if len(set(configuration.respond.inference)) < len(configuration.respond.inference):
        problems.append("respond.inference: one is named twice")
    return problems


def _guide_problems(section: str, names: list[str]) -> list[str]:
    """Answers are given under the guides of guided inference."""
    from amends.prompts import GuideStage, guides

    stages: dict[str, GuideStage] = {"induce": "induce", "analyze": "analyze"}
    try:
        guides(stages.get(section, "respond"), names)
    except InputError as error:
        return [f"{section}.{'guide' if section == 'respond' else 'guides'}: {error}"]
    return []


def _limit_sets(content: dict[str, Any]) -> None:
    limit = content.get("limit")
    if not isinstance(limit, int) or limit < 1:  # which is said of the limit itself
        return
    suites = content.get("suites")
    sets = [content.get("instructions"), content.get("benign"), *(suites.values() if isinstance(suites, dict) else [])]
    for one in sets:
        if isinstance(one, dict):
            given = one.get("limit")
            one["limit"] = min(limit, given) if isinstance(given, int) else limit
