"""Which rows of a set are taken: those with given values in given columns; and prompts that do not suit a suite."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from amends.data.lines import RawRow
from amends.data.rows import columns_of, printable
from amends.data.settings import value_text
from amends.errors import InputError

MAX_VALUES_NAMED = 12
MAX_VALUE_CHARACTERS = 40
MAX_ROWS_READ_ON = 10_000  # to say which values a column has

ANSWERED = ("chosen", "response", "completion", "output", "answer", "messages", "conversations")
OF_ANSWERS = re.compile(
    r"response|answer|output|completion|generation|reply|judge|human|vote|grader|model", re.IGNORECASE
)
WITH_WORDS = re.compile(r"(^|_)(label|type|safety|verdict)$", re.IGNORECASE)
WITH_FLAGS = re.compile(
    r"(^|_)(?P<unsafe>unsafe|harmful|toxic|toxicity|malicious)$|(^|_)(?P<safe>safe|harmless|benign)$", re.I
)
SAFE_WORDS = {"safe", "harmless", "benign", "unharmful", "nontoxic"}
UNSAFE_WORDS = {"unsafe", "harmful", "toxic", "malicious"}
NEGATIONS = {"not", "non", "no"}
CONTRAST = "contrast"  # how XSTest calls the types of its unsafe prompts


def selected(
    rows: Iterable[RawRow], where: Mapping[str, Sequence[str]], source: str, limit: int | None, reads_on: bool
) -> Iterator[RawRow]:
    """The rows that have one of the values in each of the columns, at most `limit`; those that cannot be read stay in.

    Args:
        where: by column, values as `value_text` writes them.
        source: what is named in an error.
        reads_on: whether rows behind `limit` are read where a value was not yet seen, so that a mistyped one is found.

    Raises:
        InputError: no row has the column, or a value; names those that there are.
    """
    unseen = {column: set(values) for column, values in where.items()}
    there: dict[str, dict[str, str]] = {column: {} for column in where}  # values as they stand, in the order they come
    first: Mapping[str, Any] | None = None
    read = taken = 0
    for row in rows:
        full = limit is not None and taken == limit
        if full and not (reads_on and any(unseen.values())):
            return
        if isinstance(row.found, InputError):
            if not full:
                yield row
            continue
        read, first = read + 1, row.found if first is None else first
        fits = True
        for column, values in where.items():
            text = value_text(row.found[column]) if column in row.found else None
            fits = fits and text in values
            if text is not None:
                unseen[column].discard(text)
                if len(there[column]) <= MAX_VALUES_NAMED:
                    there[column].setdefault(text, str(row.found[column]))
        if fits and not full:
            taken += 1
            yield row
    if first is None:
        return
    for column, missing in unseen.items():
        if not there[column]:
            raise InputError(f"{source}: no row has a column '{printable(column)}' to choose by; {columns_of(first)}")
        if missing:
            lacking = ", ".join(repr(printable(text)) for text in sorted(missing))
            has = _named(there[column].values())
            raise InputError(f"{source}: no row has {lacking} in column '{printable(column)}'; there are {has}")
    if not taken:
        raise InputError(f"{source}: none of {read:,} rows fits all of {', '.join(where)}; choose by fewer columns")


def suited(
    rows: Iterable[RawRow], kind: str, asks_harm: bool, where: Mapping[str, Sequence[str]], reads_on: bool
) -> Iterator[RawRow]:
    """The rows of a suite, as long as no column says that their prompts are none for its kind.

    Suites that do not ask for harm ask safe prompts. Those that ask for harm may have unlabelled ones, but no mixture:
    safe prompts among them would be counted as harm avoided. A column that `where` names was chosen by the user.

    Raises:
        InputError: names the column, its values and what chooses among them.
    """
    rows = iter(rows)
    said: dict[str, set[bool]] = {}
    there: dict[str, dict[str, bool | None]] = {}

    def column_at_odds(row: RawRow) -> str | None:
        values = row.found if isinstance(row.found, dict) else {}
        at_odds = None
        for column, value in values.items():
            if column in where or not _is_of_prompts(column, values):
                continue
            unsafe = _says_unsafe(column, value)
            if len(there.setdefault(column, {})) <= MAX_VALUES_NAMED and value is not None:
                there[column].setdefault(value_text(value), unsafe)
            if unsafe is not None:
                said.setdefault(column, set()).add(unsafe)
            if said.get(column) == {True, False} if asks_harm else True in said.get(column, ()):
                at_odds = at_odds or column
        return at_odds

    for row in rows:
        column = column_at_odds(row)
        if column is None:
            yield row
            continue
        for other in islice(rows, MAX_ROWS_READ_ON if reads_on else 0):
            column_at_odds(other)
        good = [text for text, unsafe in there[column].items() if (unsafe if asks_harm else not unsafe)]
        asks = "asks for harm, and not all of them do" if asks_harm else "asks safe prompts, and not all of them are"
        remedy = "name another source"
        if good:
            chosen = good[0] if len(good) == 1 else f"[{', '.join(good)}]"
            remedy = f"choose with where: {{{column}: {chosen}}} (suites.NAME.where.{column}={chosen})"
        raise InputError(
            f"{row.place}: a suite of kind {kind} {asks} by column '{column}' ({_named(there[column])}); {remedy}"
        )


def _is_of_prompts(column: str, row: Mapping[str, Any]) -> bool:
    """Whether a column can say of a row's prompt that it is safe or not. Beside an answer a bare label is its."""
    if OF_ANSWERS.search(column) or not (WITH_WORDS.search(column) or WITH_FLAGS.search(column)):
        return False
    is_typed = "prompt" in column.lower() or column.lower().endswith("type")
    return is_typed or not any(row.get(name) for name in ANSWERED)


def _says_unsafe(column: str, value: Any) -> bool | None:
    """Whether a value of a column calls a prompt unsafe; None where it says nothing of that."""
    text = value_text(value)
    flags = WITH_FLAGS.search(column)
    if flags and text in ("true", "false", "1", "0"):
        return (text in ("true", "1")) == bool(flags["unsafe"])
    words = re.findall(r"[a-z]+", text.lower()) if len(text) <= MAX_VALUE_CHARACTERS else []  # no label is longer
    if words[:1] == [CONTRAST]:
        return True
    negated = bool(NEGATIONS & set(words))
    safe, unsafe = bool(SAFE_WORDS & set(words)), bool(UNSAFE_WORDS & set(words))
    return None if safe == unsafe else unsafe != negated


def _named(values: Iterable[str]) -> str:
    """The first values, in a line."""
    listed = list(islice(values, MAX_VALUES_NAMED + 1))
    shown = [text if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}..." for text in listed]
    more = ["..."] if len(shown) > MAX_VALUES_NAMED else []
    return ", ".join(printable(" ".join(text.split())) or "(empty)" for text in chain(shown[:MAX_VALUES_NAMED], more))
