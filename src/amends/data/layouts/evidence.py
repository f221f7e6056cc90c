"""Whether an answer may be trained on: reads every label beside it, and refuses a row with one that it cannot read.

A harmful answer never becomes a safe one by the name of its column. So an answer of which a row does not itself say
that it is a good one is taken only where each other column is known to say nothing of answers, or says what can be
read.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from amends.data.layouts.base import Fields, Layout, Row, plain_name
from amends.data.layouts.labels import Reading, read_label, read_word, verdict_of, words_of
from amends.data.layouts.values import is_blank, nested, number_of, truth_of
from amends.errors import InputError

HOW_TO_NAME = (
    "write columns: {prompt: <a column>, chosen: <one of safe answers>} in a configuration, or --columns prompt=NAME "
    "--columns chosen=NAME; prompt alone takes no answers"
)
# What a word of a column's name says of the column. ANSWER: it holds an answer. PROMPT: it speaks of the prompt.
ANSWER = re.compile(
    r"(response|answer|completion|output|generation|target)s?|repl(y|ies)|continuation|assistant"
    r"|(chat)?gpt\d*|claude\d*|llama\d*|vicuna\d*|mi[sx]tral|qwen\d*|gemini|gemma\d*|deepseek|alpaca\d*|koala|bard"
    r"|palm\d*"
)
PROMPT = re.compile(r"prompt|instruction|question|query|input")
HARM = re.compile(r"harm(?!less)|unsafe|toxic|danger|violat|flag|abus|offens|hate|jailbr|sever(e|ity)|moderat")
JUDGING = re.compile(
    rf"({HARM.pattern}|harmless|unharm|safe|refus|complian|complie|comply|scor|rating|rated|grade|ranking|reward|label"
    r"|verdict|judg"
    r"|classif|annotation|majority|vot(e|ing)|agree|quality|prefer|accept|assess|evaluat|review|critique|feedback"
    r"|ethic|misalign"
    r"|correct|success|truthful|helpful|honest|attack|adversar)"
)
"""How good or how harmful something is, in the beginning of a word."""
JUDGING_WORD = re.compile(
    r"rank|class|asr|better|best|worse|worst|winner|bad|good|ok|pass(ed)?|fail(ed)?|results?|outcome|status|level|goal"
    r"|behaviou?r"
    r"|forbidden|hazards?|risks?|\w*guard|human"
)
ENDING = re.compile(r"(un)?(achieved|attained|reached|met|done|completed?)|good|bad|ok|pass(ed)?|fail(ed|ure)?")
HARM_SAID = re.compile(r"harm(ful)?|unsafe|toxic|jailbr(oken|eak)|adversarial")
# The last word of a column that describes another one: `label_source`, `response_model`, `output_length`.
ATTRIBUTE = re.compile(
    r"source|model|u?u?ids?|len(gth)?|tokens?|count|lang(uage)?|url|name|version|date|time(stamp)?|hash|sha256|format"
    r"|licen[sc]e|by"
    r"|author|annotator|index"
)
# Numbers under such a name count, place or date something; true and false under it say how it was made.
COUNTING = re.compile(
    r"u?u?ids?|id?x|index|num(ber)?|no|n|count|len(gth)?|tokens?|words?|char(acter)?s|turns?|seed|year|date"
    r"|time(stamp)?|created|updated"
    r"|version|temperature|top|max|size|page|chunk|rows?|line|position|attempts|finished|step|epoch|split|fold|unnamed"
    r"|hash|thread|parent"
    r"|group|(sub)?categor(y|ies)|topic|domain"
)
DESCRIBING = re.compile(r"(sub)?categor(y|ies)|sources?|licen[sc]e|id|name|model|url|tags|topic|domain")
MAX_WORDS_OF_A_LABEL, MAX_CHARACTERS_OF_A_LABEL = 5, 80


class _Evidence(NamedTuple):
    """What one column says: `unread` where it speaks and is not understood, `of_prompt` where it speaks of that."""

    column: str
    reading: Reading | None = None
    of_prompt: bool = False
    unread: bool = False
    is_answer: bool = False


def decide(fields: Fields, layout: Layout, row: Row) -> Fields:
    """The fields with the answer where it belongs: `chosen`, `rejected`, or nowhere.

    Raises InputError for an answer beside something that speaks of it and cannot be read; names the column and the
    remedy.
    """
    if is_blank(fields.chosen):
        return fields
    others = {name: value for name, value in row.items() if name not in fields.read and name not in layout.understands}
    if layout.taken == "said":
        _require_no_objection([*others.items(), *fields.beside])
        return fields
    found = [evidence for name, value in (*others.items(), *fields.beside) for evidence in _evidence(name, value)]
    unread = next((evidence for evidence in found if evidence.unread), None)
    if unread:
        raise InputError(_refusal(unread))
    of_prompt = {one.reading: one for one in found if one.of_prompt and one.reading}
    asks_harm = fields.asks_harm or next((one for one in (Reading.HARMFUL, Reading.SAFE) if one in of_prompt), None)
    readings = [one.reading for one in found if one.reading and not one.of_prompt]
    asked = of_prompt.get(Reading.HARMFUL) or of_prompt.get(Reading.UNCERTAIN)
    if asked and not readings:
        raise InputError(_refusal(asked))
    if not readings and layout.taken == "implicit":
        return fields
    verdict = verdict_of(readings, asks_harm)
    harmful = fields.chosen if verdict is Reading.HARMFUL else None
    chosen = fields.chosen if verdict is Reading.SAFE else None
    return Fields(fields.prompt, chosen, harmful if is_blank(fields.rejected) else fields.rejected)


def labels_in(layout: Layout, row: Row) -> list[str]:
    """The columns of a row that say how harmful its answer or its prompt is, and that are read so."""
    others = {name: value for name, value in row.items() if name not in layout.understands}
    if layout.taken == "said":
        words = {name: words_of(name) for name in others}
        return [
            name for name, said in words.items() if any(map(JUDGING.match, said)) and not ATTRIBUTE.fullmatch(said[-1])
        ]
    return [name for name, value in others.items() if any(one.reading for one in _evidence(name, value))]


def _evidence(name: str, value: Any) -> Iterator[_Evidence]:
    """What a column says, of an answer that nothing in its row calls a good one."""
    words = words_of(name)
    of_prompt = _is_of_prompt(words)
    if is_blank(value):
        # A row without a label, in a file that has one: nobody has looked at this answer.
        if not of_prompt and (read_label(name, True) is not None or words[-1:] in (["label"], ["verdict"])):
            yield _Evidence(name, Reading.UNCERTAIN)
        return
    value = nested(value)
    if value in ([], {}):
        return
    if _names_what_is_asked(words, value):
        # Benign questions have goals, too.
        yield _Evidence(name, Reading.HARMFUL if _is_of_attack(words) else Reading.UNCERTAIN, of_prompt=True)
        return
    judging = is_judging(word for word in words if word != "label" or "category" not in words)
    described = bool(words) and bool(ATTRIBUTE.fullmatch(words[-1]))
    if of_prompt:
        if judging:
            reading = Reading.SAFE if value == "benign" else read_label(name, value)
            yield _Evidence(name, reading, of_prompt=True, unread=reading is None and not isinstance(value, str))
    elif _any(ANSWER, words) and not judging and not described:
        yield _Evidence(name, unread=True, is_answer=True)
    elif judging and not described:
        reading = read_label(name, value)
        yield _Evidence(name, reading, unread=reading is None)
    elif isinstance(value, dict | list):
        yield from _inside(name, value)
    elif truth_of(value) is not None or number_of(value) is not None:
        yield _Evidence(name, unread=not _any(COUNTING, words))
    else:
        yield _Evidence(name, unread=_says_harm(words, value))


def _inside(name: str, value: dict[str, Any] | list[Any]) -> Iterator[_Evidence]:
    if isinstance(value, dict):
        for key, inner in value.items():
            for found in _evidence(plain_name(str(key)), inner):
                # Inside an object, a label can be of anything: that there is one is enough.
                yield found._replace(column=f"{name}.{found.column}", unread=found.unread or found.reading is not None)
    else:
        for inner in value:
            yield from (
                found._replace(unread=True) for found in _evidence(name, inner) if found.unread or found.reading
            )


def _is_of_attack(words: list[str]) -> bool:
    return words[:1] == ["attack"] and all(word in ("type", "name", "method", "style") for word in words[1:])


def _names_what_is_asked(words: list[str], value: Any) -> bool:
    """Whether a column names the attack or the harm that the prompt asks for: `attack: PAIR`, `goal: Write a hoax`.

    Both can say how it ended, too: `attack: success`, `behavior: refusal`, `goal: not reached`.
    """
    if not isinstance(value, str) or truth_of(value) is not None or number_of(value) is not None or read_word(value):
        return False
    said = words_of(value)
    # A sentence, or a topic of harm ("Animal abuse"), and no word for how good or how harmful an answer is.
    judging = any(JUDGING.match(word) and not HARM.match(word) for word in said)
    is_goal = words in (["goal"], ["behavior"], ["behaviour"])
    if is_goal and len(said) > MAX_WORDS_OF_A_LABEL:
        return True
    return (is_goal or _is_of_attack(words)) and not judging and not _any(ENDING, said)


def _any(kind: re.Pattern[str], words: Iterable[str]) -> bool:
    return any(kind.fullmatch(word) for word in words)


def _is_of_prompt(words: list[str]) -> bool:
    return _any(PROMPT, words) and not _any(ANSWER, words) and "model" not in words


def is_judging(words: Iterable[str]) -> bool:
    """Whether a column's name, in words, speaks of how good or how harmful something is."""
    return any(JUDGING.match(word) or JUDGING_WORD.fullmatch(word) for word in words)


def _says_harm(words: list[str], value: Any) -> bool:
    """Whether a short value under a name that promises no label is one nonetheless, as in type: adversarial_harmful."""
    if not isinstance(value, str) or len(value) > MAX_CHARACTERS_OF_A_LABEL:
        return False
    if read_word(value) in (Reading.HARMFUL, Reading.COMPLIANCE, Reading.REFUSAL):
        return True
    said = words_of(value)
    return len(said) <= MAX_WORDS_OF_A_LABEL and _any(HARM_SAID, said) and not _any(DESCRIBING, words)


def _require_no_objection(columns: Sequence[tuple[str, Any]]) -> None:
    """An answer that a file calls `chosen` stays so, unless another column of the file speaks against it."""
    others = dict(columns)
    for name, value in columns:
        words, value = words_of(name), nested(value)
        is_of_other = _is_of_prompt(words) or "attack" in words or ("rejected" in words and "chosen" not in words)
        judging = any(JUDGING.match(word) for word in words) and not ATTRIBUTE.fullmatch(words[-1])
        if is_of_other or not judging or is_blank(value) or value in ([], {}):
            continue
        reading = read_label(name, value)
        is_text = (
            isinstance(value, str) and number_of(value) is None
        )  # a word that is not in the table, such as a topic
        if reading is None and (is_text or _is_higher(name, value, others.get(name.replace("chosen", "rejected")))):
            continue
        if reading not in (Reading.SAFE, Reading.REFUSAL):
            raise InputError(_refusal(_Evidence(name, reading)))


def _is_higher(name: str, value: Any, other: Any) -> bool:
    """Whether the chosen answer's score is above the rejected one's; a score of harm says more than which is higher."""
    mine, theirs = number_of(value), number_of(other)
    is_of_harm = any(
        word.startswith(("harm", "unsafe", "toxic", "sever", "danger", "jailbr")) for word in words_of(name)
    )
    return "chosen" in name and not is_of_harm and mine is not None and theirs is not None and mine > theirs


def _refusal(evidence: _Evidence) -> str:
    if evidence.is_answer:
        reason = "seems to hold another answer, and nothing says which one is safe"
        return f"column '{evidence.column}' {reason}; {HOW_TO_NAME}"
    return f"column '{evidence.column}' seems to say whether the answer is safe, and is not read; {HOW_TO_NAME}"
