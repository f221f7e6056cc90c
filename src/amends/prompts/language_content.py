"""What may stand in a language's file: each key is known, each guide can be used, and what is wrong is named."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amends.errors import InputError, nearest, unknown
from amends.prompts.guide import Guide
from amends.text.scripts import unread_script, words_by_script
from amends.text.words import words

ENGLISH = "en"
LONGEST_WORD = 30  # letters; a longer one is a sentence that the test cannot cut into words

Raw = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Guides(_Part):
    induce: dict[str, dict[str, Any]] = {}
    analyze: dict[str, dict[str, Any]] = {}
    respond: dict[str, dict[str, Any]] = {}


class _Gates(_Part):
    harm: list[str] = Field(default=[], min_length=1)
    why: list[str] = Field(default=[], min_length=1)
    denies: list[str] = Field(default=[], min_length=1)
    accuses: list[str] = Field(default=[], min_length=1)


class _Refusals(_Part):
    opening_characters: int = Field(default=0, ge=1)
    apology: list[str] = Field(default=[], min_length=1)
    inability: list[str] = Field(default=[], min_length=1)
    as_an_ai: list[str] = Field(default=[], min_length=1)
    disapproval: list[str] = Field(default=[], min_length=1)


class _File(_Part):
    """What may stand in a language's file. In patterns, a name of `words` in braces stands for any of these."""

    language: str | None = Field(default=None, pattern=r"\S")
    scripts: list[str] = Field(default=[], min_length=1)
    guides: _Guides = Field(default_factory=_Guides)
    templates: dict[str, str] = {}
    words: dict[str, list[str]] = {}
    gates: _Gates = Field(default_factory=_Gates)
    refusals: _Refusals = Field(default_factory=_Refusals)


def language_codes() -> list[str]:
    """The names of the languages that amends brings."""
    files = resources.files("amends.prompts").iterdir()
    return sorted(one.name.removesuffix(".yaml") for one in files if one.name.endswith(".yaml"))


@cache
def bundled(code: str) -> Raw:
    """The content of a language's file. Raises InputError where there is none."""
    if code not in language_codes():
        how = "a file of your own (guides: FILE, --guides FILE; see docs/languages.md)"
        raise unknown("language", code, language_codes(), how)
    place = resources.files("amends.prompts").joinpath(f"{code}.yaml")
    return read_content(f"{code}.yaml", place.read_text(encoding="utf-8"))


def text_of(path: Path) -> str:
    """The text of a user's file. Raises InputError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file of guides; check the path") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def read_content(source: str, text: str) -> Raw:
    """The content of a file. Raises InputError where it is no YAML, and as `checked`."""
    from yaml import YAMLError

    from amends.text.yaml import read_yaml

    try:
        content = read_yaml(text)
    except YAMLError as error:
        raise InputError(f"{source}: is not YAML: {error}") from None
    return checked(source, content)


def checked(source: str, content: Any) -> Raw:
    """A content as it is. Raises InputError where a key is unknown, or has nothing that it can have."""
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{source}: is no mapping of keys to values, such as guides: and templates:")
    try:
        _File.model_validate(dict(content))
    except ValidationError as error:
        raise InputError(f"{source}: {_problem(error, _File)}") from None
    return dict(content)


def checked_guide(source: str, stage: str, name: str, places: Raw, scripts: tuple[str, ...]) -> Guide:
    """A guide of its places. Raises InputError for one that is unknown or empty, or that the leak test cannot read."""
    where = f"{source}: guides.{stage}.{name}"
    for place, text in places.items():
        if text is None:
            raise InputError(f"{where}.{place}: is empty; write the cue, or leave this place out")
    try:
        made = Guide.model_validate({"name": name, **places})
    except ValidationError as error:
        raise InputError(f"{where}.{_problem(error, Guide)}") from None
    for place in ("system", "suffix", "prefill"):
        cue = getattr(made, place) or ""
        if script := unread_script([cue], scripts):
            raise InputError(f"{where}.{place}: is in {script}; the leak test cannot read it: add it to scripts")
        if cue and (not words_by_script(cue) or max(map(len, words(cue))) > LONGEST_WORD):
            raise InputError(f"{where}.{place}: the leak test finds no words in it; put spaces between its words")
    return made


def _problem(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first problem in a line, with its key."""
    detail = error.errors()[0]
    *section, last = (str(part) for part in detail["loc"] if part != "[key]")
    key = ".".join([*section, last])
    if detail["type"] == "extra_forbidden":
        known = list(_section(kind, section).model_fields)
        what = "place" if kind is Guide else "key"
        return f"{key}: unknown {what}{nearest(last, [name for name in known if name != 'name'])}"
    if detail["type"] in ("too_short", "string_pattern_mismatch"):
        return f"{key}: is empty"
    if detail["type"] == "dict_type" and detail["input"] is None:
        return f"{key}: is empty; write {{}} for what has nothing in it"
    message = detail["msg"]
    return f"{key}: {message[0].lower()}{message[1:]}"


def _section(kind: type[BaseModel], keys: list[str]) -> type[BaseModel]:
    for key in keys:
        annotation = kind.model_fields[key].annotation
        assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
        kind = annotation
    return kind
