"""Verifiable instructions: what each kind of constraint takes and refuses, and the bundled set of them."""

from collections import Counter

import pytest

import amends
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import InputError
from amends.evaluation.constraints import CONSTRAINTS, Constraint, check_constraint, is_followed
from amends.records import Instruction

CASES: tuple[tuple[str, int | None, str | None, str, str], ...] = (
    ("words-at-most", 3, None, "Two words.", "These are four words."),
    ("words-at-least", 3, None, "These are four words.", "Two words."),
    ("sentences", 2, None, "It is 3.5 m high. Is it?", "It is high. Is it? Yes."),
    ("sentences", 2, None, "One. Two without an end", "1. One"),
    ("paragraphs", 2, None, "One\nline.\n \nTwo.", "One.\nTwo."),
    ("bullets", 2, None, "These:\n- a\n  * b", "1. a\n2. b"),
    ("numbered", 2, None, "These:\n1. a\n2) b", "- 1. a\n3 b"),
    ("includes", None, "river|once upon a time", "Once upon a time, a RIVER.", "Once upon a time, rivers."),
    ("excludes", None, "pet|,", "Petals are fine.", "A Pet!"),
    ("excludes", None, ",", "No sign.", "A, b"),
    ("repeats", 2, "go", "Go, go!", "Go to Togo."),
    ("lowercase", None, None, "all is small.", "I am not."),
    ("uppercase", None, None, "ALL 3!", "ALl"),
    ("begins-with", None, "Long ago", "\u201cLong ago\u201d, he said", "Very long ago"),
    ("ends-with", None, "The end.", "So. THE END!", "The end is near."),
    ("json", None, "name|age", '```json\n{"name": "Tom", "age": 3}\n```', '{"name": "Tom"}'),
    ("json", None, None, "{}", "[1]"),
    ("json", None, None, '{"a": 1}', 'Here: {"a": 1}'),
    ("quoted", None, None, '"Hello."', '"Hello," he said.'),
    ("one-of", None, "yes|not at all", "Not at all.", "Yes, it is."),
)


def asked(kind: str, number: int | None = None, text: str | None = None) -> Instruction:
    return Instruction(id="a", prompt="Do.", constraint=kind, constraint_number=number, constraint_text=text)


@pytest.mark.parametrize(("kind", "number", "text", "follows", "fails"), CASES)
def test_an_answer_has_the_form_or_has_it_not(
    kind: str, number: int | None, text: str | None, follows: str, fails: str
) -> None:
    row = asked(kind, number, text)
    check_constraint(row)
    assert is_followed(row, follows, finished=True)
    assert not is_followed(row, fails, finished=True)


def test_every_kind_is_tried_and_none_takes_a_blank_answer() -> None:
    assert {case[0] for case in CASES} == set(CONSTRAINTS)
    rows = [asked(kind, number, text) for kind, number, text, *_ in CASES]
    assert not any(is_followed(row, " \n", finished=True) for row in rows)


def test_a_cut_answer_follows_only_what_its_end_could_not_change() -> None:
    kinds = {kind for kind, number, text, follows, _ in CASES if is_followed(asked(kind, number, text), follows, False)}
    assert kinds == {
        *("words-at-least", "includes", "excludes", "repeats", "lowercase", "uppercase", "begins-with"),
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Instruction(id="a", prompt="Do."), "names no `constraint`; give it one of words-at-most"),
        (asked("bulets", 3), "unknown constraint 'bulets'; did you mean 'bullets'"),
        (asked("bullets"), "constraint 'bullets' needs the column `constraint_number`"),
        (asked("repeats", 3), "needs the column `constraint_text`"),
    ],
)
def test_a_row_that_cannot_be_checked_is_refused(row: Instruction, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_constraint(row)


def test_a_kind_of_a_users_own_is_named_by_rows() -> None:
    amends.register_constraint(Constraint("polite", "says please", lambda answer, *_: "please" in answer.lower()))
    try:
        assert is_followed(asked("polite"), "Please sit down.", True)
        assert not is_followed(asked("polite"), "Sit down.", True)
    finally:
        CONSTRAINTS.remove("polite")


def test_the_bundled_instructions_are_120_of_all_kinds_that_can_be_checked() -> None:
    rows = list(load_instructions(DataSettings(source="bundled:instructions/test")))
    for row in rows:
        check_constraint(row)
    counts = Counter(row.constraint for row in rows)
    assert len({str(row.prompt) for row in rows}) == 120
    assert counts.keys() == set(CONSTRAINTS) and set(counts.values()) <= {6, 8}
