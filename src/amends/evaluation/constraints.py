"""What a verifiable instruction asks of an answer's form, so that a program can say whether it was followed.

After IFEval (Zhou et al., Instruction-Following Evaluation for Large Language Models, 2023, arXiv 2311.07911).
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from amends.errors import InputError
from amends.records import Instruction
from amends.registry import Registry
from amends.text.words import sentence_ends, word_count, words

BULLET = re.compile(r"^[ \t]*[-*+\u2022][ \t]+\S", re.MULTILINE)
NUMBERED = re.compile(r"^[ \t]*\d+[.)][ \t]+\S", re.MULTILINE)
FENCE = re.compile(r"^```\w*\s*(.*?)\s*```$", re.DOTALL)
QUOTES = {'"': '"', "\u201c": "\u201d", "\u300c": "\u300d"}

Holds = Callable[[str, int, str], bool]
"""Whether an answer has what is asked; it is given the answer, the row's number and the row's text."""


@dataclass(frozen=True, eq=False)
class Constraint:
    """A kind of constraints: what a row names in its column `constraint`.

    Attributes:
        name: in that column.
        what: what an answer that has it is or has.
        holds: whether an answer that is not blank has it.
        needs: which of `constraint_number` and `constraint_text` a row has to give.
        to_the_end: whether an answer's end decides: one that the token limit cut does not have it then.

    Example:
        >>> short = Constraint("short", "is short", lambda answer, number, text: len(answer) <= number)
        >>> short.holds("Yes.", 4, "")
        True
    """

    name: str
    what: str
    holds: Holds
    needs: tuple[str, ...] = ()
    to_the_end: bool = True

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return self.what


CONSTRAINTS: Registry[Constraint] = Registry(
    "constraint", __name__, "amends.constraints", "amends.register_constraint(Constraint(...))"
)


def register_constraint(constraint: Constraint) -> Constraint:
    """Adds a kind of constraints, which rows of suites can then name. Raises InputError where its name is taken.

    Example:
        register_constraint(Constraint("polite", "says please", lambda answer, number, text: "please" in answer))
    """
    return CONSTRAINTS.register(constraint.name, constraint)


def check_constraint(row: Instruction) -> None:
    """Raises InputError where a row names no constraint that is known, or not what that has to be told."""
    if row.constraint is None:
        raise InputError(f"it names no `constraint`; give it one of {', '.join(CONSTRAINTS)}")
    for column in CONSTRAINTS[row.constraint].needs:
        if getattr(row, column) is None:
            raise InputError(f"constraint {row.constraint!r} needs the column `{column}`; fill it")


def is_followed(row: Instruction, answer: str, finished: bool) -> bool:
    """Whether an answer to a verifiable instruction has the form that was asked for. A blank one has none.

    Args:
        row: the instruction; it names a constraint.
        answer: the answer.
        finished: whether the model ended it, and not the token limit.

    Raises InputError where the row names no constraint that is known.

    Example:
        >>> row = Instruction(id="a", prompt="Answer in lower case.", constraint="lowercase")
        >>> is_followed(row, "gladly.", True), is_followed(row, "Gladly.", True)
        (True, False)
    """
    kind = CONSTRAINTS[row.constraint or ""]
    if not answer.strip() or (kind.to_the_end and not finished):
        return False
    return kind.holds(answer.strip(), row.constraint_number or 0, row.constraint_text or "")


def _parts(text: str) -> list[str]:
    """What a row's text names, parted by `|`."""
    return [part.strip() for part in text.split("|") if part.strip()]


def _times(phrase: str, answer: str) -> int:
    """How often the words of a phrase follow one another in an answer; of a phrase without words, its characters."""
    wanted, there = words(phrase), words(answer)
    if not wanted:
        return answer.count(phrase)
    return sum(there[start : start + len(wanted)] == wanted for start in range(len(there) - len(wanted) + 1))


def _sentences(answer: str) -> int:
    """Those that end, and a last one that does not."""
    ends = [0, *sentence_ends(answer)]
    return len(ends) - 1 + bool(words(answer[ends[-1] :]))


def _is_object(answer: str, keys: Iterable[str]) -> bool:
    """Whether it is a JSON object with these keys, in a block of code or not."""
    fenced = FENCE.match(answer)
    try:
        found = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and all(key in found for key in keys)


_NUMBER, _TEXT = ("constraint_number",), ("constraint_text",)
for _constraint in (
    Constraint(
        "words-at-most",
        "has at most `constraint_number` words",
        lambda answer, number, _: word_count(answer) <= number,
        _NUMBER,
    ),
    Constraint(
        "words-at-least",
        "has at least `constraint_number` words",
        lambda answer, number, _: word_count(answer) >= number,
        _NUMBER,
        to_the_end=False,
    ),
    Constraint(
        "sentences",
        "has `constraint_number` sentences, neither more nor fewer",
        lambda answer, number, _: _sentences(answer) == number,
        _NUMBER,
    ),
    Constraint(
        "paragraphs",
        "has `constraint_number` paragraphs, with an empty line between two",
        lambda answer, number, _: len(re.split(r"\n\s*\n", answer)) == number,
        _NUMBER,
    ),
    Constraint(
        "bullets",
        "has `constraint_number` lines that begin with a bullet or a dash",
        lambda answer, number, _: len(BULLET.findall(answer)) == number,
        _NUMBER,
    ),
    Constraint(
        "numbered",
        "has `constraint_number` lines that begin with a number and a full stop or a bracket",
        lambda answer, number, _: len(NUMBERED.findall(answer)) == number,
        _NUMBER,
    ),
    Constraint(
        "includes",
        "has all of the words in `constraint_text`, which `|` parts",
        lambda answer, _, text: all(_times(part, answer) for part in _parts(text)),
        _TEXT,
        to_the_end=False,
    ),
    Constraint(
        "excludes",
        "has none of the words or signs in `constraint_text`, which `|` parts",
        lambda answer, _, text: not any(_times(part, answer) for part in _parts(text)),
        _TEXT,
        to_the_end=False,
    ),
    Constraint(
        "repeats",
        "has the words `constraint_text` at least `constraint_number` times",
        lambda answer, number, text: _times(text, answer) >= number,
        (*_NUMBER, *_TEXT),
        to_the_end=False,
    ),
    Constraint("lowercase", "has no capital letter", lambda answer, *_: answer.islower(), to_the_end=False),
    Constraint("uppercase", "has capital letters alone", lambda answer, *_: answer.isupper(), to_the_end=False),
    Constraint(
        "begins-with",
        "begins with the words `constraint_text`",
        lambda answer, _, text: words(answer)[: len(words(text))] == words(text),
        _TEXT,
        to_the_end=False,
    ),
    Constraint(
        "ends-with",
        "ends with the words `constraint_text`",
        lambda answer, _, text: words(answer)[-len(words(text)) :] == words(text),
        _TEXT,
    ),
    Constraint(
        "json",
        "is a JSON object, with the keys that `constraint_text` may name, which `|` parts",
        lambda answer, _, text: _is_object(answer, _parts(text)),
    ),
    Constraint(
        "quoted",
        "stands in quotation marks",
        lambda answer, *_: len(answer) > 2 and QUOTES.get(answer[0]) == answer[-1],
    ),
    Constraint(
        "one-of",
        "is one of the answers in `constraint_text`, which `|` parts, and nothing else",
        lambda answer, _, text: words(answer) in [words(part) for part in _parts(text)],
        _TEXT,
    ),
):
    CONSTRAINTS.register(_constraint.name, _constraint)
