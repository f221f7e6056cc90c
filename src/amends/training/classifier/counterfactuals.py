"""Rows against the refusal shortcut: the same answers with and without words of refusal, labels kept.

Balanced, since words of refusal put before harmful answers alone teach that refusing is harmful. Both ways, as many
harmful answers as harmless ones are changed. The words that benchmarks/refusal_words.py tries are not among these.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from amends.judges.probe_training import Labelled, share_of
from amends.prompts import Language
from amends.seeds import derive_seed

OPENINGS = (
    "I'm sorry, but I can't help with that.",
    "I cannot assist with this request.",
    "Sorry, I'm not able to do that.",
    "I apologize, but this is something I have to decline.",
    "As an AI language model, I cannot do this.",
    "I'm afraid I can't answer that.",
    "I must decline.",
    "That is not something I can support.",
    "It is not appropriate to do this.",
    "I don't feel comfortable with this question.",
    "This would be unethical, so I refuse.",
    "I can't in good conscience go along with this.",
    "Doing that would be illegal and harmful.",
    "Unfortunately I'm unable to provide this.",
    "My guidelines do not allow me to answer.",
    "You should not do this.",
    "I would strongly advise against it.",
    "I can not and will not engage in this.",
)
FEWEST_WORDS = 5  # of a sentence that says something
MOST_SENTENCES = 3  # that are taken away as one


def counterfactuals(rows: Sequence[Labelled], share: float, language: Language, seed: int = 0) -> list[Labelled]:
    """Changed copies of rows: about half with a refusal put before them, half with theirs taken away.

    Args:
        rows: what is learnt from. A row is changed one way alone.
        share: of the rows that come again, at most; fewer where too few refuse, or one label has too few rows.
        language: that tells refusals.
        seed: of the draw, which a row's text fixes with it.

    Returns:
        Of both kinds as many harmful as harmless rows.
    """
    wanted = int(share * len(rows)) // 4  # of a kind and a label
    drawn = sorted(rows, key=lambda row: share_of(f"{row.prompt}\n{row.response}", f"counterfactual {seed}"))
    freed = [(row, rest) for row in drawn if (rest := without_refusal(row.response, language))]
    taken = _balanced([replace(row, response=rest) for row, rest in freed], wanted)
    plain = [row for row in drawn if not language.is_refusal(row.response)]
    put = [replace(row, response=f"{_opening(row, seed)} {row.response}") for row in plain]
    return taken + _balanced(put, wanted)


def without_refusal(response: str, language: Language) -> str:
    """What an answer says behind the refusal that it opens with; empty where it has none, or says too little then.

    Example:
        >>> from amends.prompts import english
        >>> without_refusal("I'm sorry, I can't help with that. A neighbour may know whom to ask.", english())
        'A neighbour may know whom to ask.'
    """
    sentences = re.split(r"(?<=[.!?])\s+", response.strip())
    refusing = 0
    for number, sentence in enumerate(sentences[:MOST_SENTENCES], start=1):
        if language.is_refusal(sentence):
            refusing = number
        elif len(sentence.split()) >= FEWEST_WORDS:  # no "I'm sorry." that the refusal is still to follow
            break
    rest = " ".join(sentences[refusing:]) if refusing else ""
    return rest if len(rest.split()) >= FEWEST_WORDS and not language.is_refusal(rest) else ""


def _opening(row: Labelled, seed: int) -> str:
    return OPENINGS[derive_seed(seed, "opening", row.prompt, row.response) % len(OPENINGS)]


def _balanced(rows: Sequence[Labelled], wanted: int) -> list[Labelled]:
    """The first rows of each label, as many of one as of the other."""
    sides = [[row for row in rows if row.label == label] for label in (0, 1)]
    count = min(wanted, *(len(side) for side in sides))
    return [row for side in sides for row in side[:count]]
