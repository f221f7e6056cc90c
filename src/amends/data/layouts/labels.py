"""What a label says of an answer: the one table of the words and numbers that data sets use."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from amends.data.layouts.values import is_blank, number_of, truth_of


class Reading(Enum):
    """What a label says. Compliance with a request is harm where the request is for harm."""

    SAFE = "safe"
    HARMFUL = "harmful"
    REFUSAL = "refusal"
    COMPLIANCE = "compliance"
    UNCERTAIN = "uncertain"


WORDS = {
    Reading.SAFE: "safe|harmless|unharmful|not harmful|non harmful|nonharmful|no harm|not toxic|non toxic",
    Reading.HARMFUL: "unsafe|harmful|toxic|not safe|jailbroken|very harmful",
    Reading.REFUSAL: "refusal|refused|refuse|refuses|full refusal|complete refusal|not complied|non compliance",
    Reading.COMPLIANCE: "compliance|full compliance|complied|comply|complies|compliant|fulfilled|fulfillment",
    Reading.UNCERTAIN: "partial|partial refusal|partial compliance|partially safe|needs caution|controversial|ambiguous"
    "|unclear|unknown|uncertain|unsure|not sure|mixed|borderline|other|none|n/a|na|tie|unscored|unlabelled|unlabeled"
    "|undecided|error|disagreement|no agreement",
}
"""The words of each reading, in lower case and without the numbers and signs that sets put into them."""
_READINGS = {word: reading for reading, words in WORDS.items() for word in words.split("|")}

# True in a column of this name says the first, false the second; None where false says nothing of the answer.
_ADJECTIVES: dict[str, tuple[Reading, Reading | None]] = {
    "safe": (Reading.SAFE, Reading.HARMFUL),
    "harmless": (Reading.SAFE, Reading.HARMFUL),
    "unharmful": (Reading.SAFE, Reading.HARMFUL),
    "unsafe": (Reading.HARMFUL, Reading.SAFE),
    "harmful": (Reading.HARMFUL, Reading.SAFE),
    "toxic": (Reading.HARMFUL, None),
    "flagged": (Reading.HARMFUL, None),
    "jailbroken": (Reading.HARMFUL, Reading.SAFE),
    "refusal": (Reading.REFUSAL, Reading.COMPLIANCE),
    "refused": (Reading.REFUSAL, Reading.COMPLIANCE),
    "complied": (Reading.COMPLIANCE, Reading.REFUSAL),
    "compliance": (Reading.COMPLIANCE, Reading.REFUSAL),
}
# Other words in a column's name can turn its meaning ("not_harmful", "harmful_intent"): beside these none is read.
_NEUTRAL = re.compile(
    r"is|was|over|\d+|labels?|verdict|type|final|gold|majority|human|gpt4|model|assistant|response|answer|completion"
    r"|output"
    r"|prompt|question|instruction|query|chosen|harm|safety|behavior"
)
_NUMBERING = re.compile(r"^\d+\s*[_.:)-]\s*")  # 1_full_compliance
_SUBJECT = re.compile(r"^(prompt|response|answer) ")  # prompt_harmful
_WORD = re.compile(r"[a-z]+\d*|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_COUNTS = re.compile(r"(safe|harmless)_(unsafe|harmful)$")


def words_of(name: str) -> list[str]:
    """The words of a column's name, in lower case."""
    return _WORD.findall(_HUMP.sub(" ", name).lower())


def read_word(value: Any) -> Reading | None:
    """What a word says ("1_full_compliance", "Unsafe", "prompt_harmful"); None for one that is not in the table."""
    if not isinstance(value, str):
        return None
    plain = " ".join(_NUMBERING.sub("", value.strip().lower()).replace("_", " ").replace("-", " ").split())
    return _READINGS.get(_SUBJECT.sub("", plain))


def read_label(name: str, value: Any) -> Reading | None:
    """What the label in a column says of what it is about; None where that is not certain.

    Args:
        name: of the column, which says what true, false, 1 and 0 mean. Under `label` alone, numbers mean nothing
            certain.
        value: a word, true or false in any spelling, 0 or 1, or a list of several people's, of which the majority
            counts.
    """
    if is_blank(value):
        return Reading.UNCERTAIN
    if isinstance(value, list):
        if _COUNTS.search(name) and len(value) == 2:
            safe, unsafe = (number_of(count) for count in value)
            return None if safe is None or unsafe is None else _of_counts(safe, unsafe)
        return majority([read_label(name, one) for one in value])
    adjectives = [word for word in words_of(name) if word in _ADJECTIVES]
    others = [word for word in words_of(name) if word not in _ADJECTIVES and not _NEUTRAL.fullmatch(word)]
    truth = truth_of(value)
    if truth is None:
        return read_word(value)
    if len(adjectives) != 1 or others:
        return None
    when_true, when_false = _ADJECTIVES[adjectives[0]]
    reading = when_true if truth else when_false
    # On a scale that begins with 1, a 1 would be the worst.
    is_scale = number_of(value) is not None and not name.startswith(("is_", "was_"))
    return None if is_scale and truth and when_true is Reading.SAFE else reading


def majority(readings: Sequence[Reading | None]) -> Reading | None:
    """What more than half of several labels say; UNCERTAIN without a majority, None where one could not be read."""
    if None in readings or not readings:
        return None
    said = [reading for reading in readings if reading is not Reading.UNCERTAIN]
    reading, count = Counter(said).most_common(1)[0] if said else (Reading.UNCERTAIN, 0)
    return reading if 2 * count > len(said) else Reading.UNCERTAIN


def verdict_of(readings: Iterable[Reading], asks_harm: Reading | None) -> Reading:
    """SAFE, HARMFUL or UNCERTAIN, of an answer, from all that its row says. Labels in contradiction leave it open.

    Args:
        readings: of the labels of the answer.
        asks_harm: HARMFUL where the prompt is labelled as asking for harm, SAFE where it is labelled as harmless.
    """
    said = set(readings)
    called_good = bool(said & {Reading.SAFE, Reading.REFUSAL})
    if Reading.HARMFUL in said:
        return Reading.UNCERTAIN if called_good else Reading.HARMFUL
    if Reading.UNCERTAIN in said or not said:
        return Reading.UNCERTAIN
    if Reading.COMPLIANCE in said:
        if asks_harm is Reading.HARMFUL:
            return Reading.UNCERTAIN if called_good else Reading.HARMFUL
        return Reading.SAFE if Reading.SAFE in said and asks_harm is Reading.SAFE else Reading.UNCERTAIN
    # To refuse what is harmless is no harm, but nothing to learn either.
    refuses_harmless = Reading.REFUSAL in said and asks_harm is Reading.SAFE
    return Reading.UNCERTAIN if refuses_harmless else Reading.SAFE


def _of_counts(safe: float, unsafe: float) -> Reading:
    if safe == unsafe:
        return Reading.UNCERTAIN
    return Reading.SAFE if safe > unsafe else Reading.HARMFUL
