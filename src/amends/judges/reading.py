"""Reads what a judge was asked to write, one flat JSON object, as models write it: what can only mean one thing.

Line breaks in strings, a trailing comma, quotes of either kind, `9/10` for 9, keys in capitals and further keys (flat
lists, too) are read, in time linear in the text. What is cut, given twice or given in two ways is not.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from amends.text.reasoning import without_reasoning

Form = TypeVar("Form", bound=BaseModel)
READING = 4  # raised when answers are read otherwise, so that those kept of before are asked for again
MAX_KEYS = 32
_KEY = r"""(?:"(\w{1,40})"|'(\w{1,40})'|(\w{1,40}))\s*:\s*"""
_START = re.compile(r"\{\s*(?=" + _KEY + ")")
_DOUBLE, _SINGLE = r"""[^"\\]*(?:\\.[^"\\]*)*""", r"""[^'\\]*(?:\\.[^'\\]*)*"""
_LIST = rf"""\[(?:[^"'{{}}\[\]]|"{_DOUBLE}"|'{_SINGLE}')*\]"""  # flat, under a key that is not asked for
_PAIR = re.compile(
    rf"""{_KEY}(?:"({_DOUBLE})"|'({_SINGLE})'|([^\s"',{{}}\[\]:][^"',{{}}\[\]:\n]*)|{_LIST})\s*""", re.DOTALL
)
_BETWEEN = re.compile(r",\s*(\}?)|(\})")
_OF_TEN = re.compile(r"(\d{1,2})(?:\.0+)?(?:\s*(?:/|out of)\s*10)?")
_BEHIND = re.compile(r"[\s`]*\Z")


def read_form(form: type[Form], text: str, question: str = "", finished: bool = True) -> Form | None:
    """The form in a model's answer, which may stand in a code block or between words.

    Args:
        form: its fields are texts, numbers of ten or one of several words.
        text: the answer; what it holds of reasoning is left out.
        question: what was asked; a form that stands in it is a quotation of what is judged.
        finished: whether the model ended its answer. Of one that was cut only a form at its very end counts.

    Returns:
        None where there is none, where one was begun and not ended, and where several differ: one may be quoted from
        what is judged.
    """
    text = without_reasoning(text)
    found = list(_forms(form, text))
    quoted = _quotable(form, question) if found else set()
    own = [(one, end) for one, end in found if one is None or repr(one) not in quoted]
    first = own[0][0] if own else None
    if first is None or any(one != first for one, _ in own):
        return None
    return first if finished or _BEHIND.match(text, own[-1][1]) else None


def _forms(form: type[Form], text: str) -> Iterator[tuple[Form | None, int]]:
    """The forms in a text and where each ends; None for one that was begun and never ended."""
    closings: dict[int, int] | None = None
    start = _START.search(text)
    while start:
        pairs, end = _object(text, start.end())
        begun = next(key for key in start.groups() if key).lower()
        if pairs is not None and (one := _validated(form, pairs)):
            yield one, end
        elif begun in form.model_fields and pairs is None:
            # What stands inside of one that cannot be read may be a quotation: it is left out as a whole.
            closings = _closings(text) if closings is None else closings
            if start.start() not in closings:
                yield None, len(text)
                return
            end = closings[start.start()]
        elif pairs is None:
            end = start.end()
        start = _START.search(text, end)


def _quotable(form: type[Form], question: str) -> set[str]:
    """The forms that stand in what is judged, inside of others too."""
    text = question + question.replace('\\"', '"')
    read = (_object(text, start.end())[0] for start in _START.finditer(text))
    return {repr(one) for pairs in read if pairs and (one := _validated(form, pairs))}


def _object(text: str, position: int) -> tuple[dict[str, str | None] | None, int]:
    """The pairs of the object whose first key is at `position`, and where it ends; None where it cannot be read."""
    pairs: dict[str, str | None] = {}
    while (pair := _PAIR.match(text, position)) and len(pairs) < MAX_KEYS:
        double, single, bare = pair.groups()[3:]
        key = next(one for one in pair.groups()[:3] if one).lower()
        between = _BETWEEN.match(text, pair.end())
        if key in pairs or not between:
            return None, position
        quoted = double if single is None else single
        pairs[key] = _bare(bare.strip()) if bare is not None else None if quoted is None else _unescaped(quoted)
        if between[1] or between[2]:
            return pairs, between.end()
        position = between.end()
    return None, position


def _bare(word: str) -> str | None:
    """A value without quotes: a number or a word; None for those that are neither text nor number."""
    return None if word.lower() in ("true", "false", "none", "null") else word


def _unescaped(body: str) -> str:
    """What stands between quotes as text; escapes that JSON does not know stand for the character itself."""

    def mended(found: re.Match[str]) -> str:
        if found[0] == '"':
            return '\\"'
        return found[0] if found[0][1] in '"\\/bfnrtu' else found[0][1]

    try:
        return str(json.loads('"' + re.sub(r'\\.|"', mended, body, flags=re.DOTALL) + '"', strict=False))
    except ValueError:
        return body


def _validated(form: type[Form], pairs: dict[str, str | None]) -> Form | None:
    """The form of these pairs; None where a field is missing or wrong."""
    values: dict[str, Any] = {}
    for name, field in form.model_fields.items():
        value = pairs.get(name)
        if value is not None and field.annotation is int:
            of_ten = _OF_TEN.fullmatch(value.strip())
            value = of_ten[1] if of_ten else None
        elif value is not None and get_origin(field.annotation) is not None:  # one of several words
            value = value.strip().lower()
        values[name] = value
    try:
        return form.model_validate(values)
    except ValidationError:
        return None


def _closings(text: str) -> dict[int, int]:
    """Behind which place each brace that is closed is closed, strings or not."""
    opened: list[int] = []
    closings = {}
    for brace in re.finditer(r"[{}]", text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            closings[opened.pop()] = brace.end()
    return closings
