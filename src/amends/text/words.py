"""Small measures of generated text, in any script, that the gates use.

Scripts that are written without spaces have no words to be cut at: there every two neighbouring characters count as
one, as is usual where Chinese and Japanese are indexed (Manning et al., Introduction to Information Retrieval, section
2.2.1).
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regex import Pattern

REPEATED_WORDS, COPIED_WORDS, CUE_WORDS = 4, 5, 5
MAX_REPEATED, MAX_COPIED = 0.2, 0.4  # the shares above which a text is not trained on
ASCII_WORD = re.compile(r"[a-z0-9']+")
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\u30FC\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = rf"([{_UNSPACED}]+)|[[\p{{L}}\p{{M}}\p{{N}}']--[{_UNSPACED}]]+"
UNSPACED_END = rf"[{_UNSPACED}\u3000-\u303F\uFF00-\uFFEF]$"
UNSPACED_RUN = rf"[{_UNSPACED}]+"
CHARACTERS_A_WORD = 1.6
"""Of Chinese: the Chinese Treebank 5 has 824,983 characters in 507,222 words (LDC2005T01)."""
SENTENCE_END = re.compile(
    r"[.!?][\"')\]]*(?=\s|$)|"
    r"[\u3002\uff01\uff1f\u0964\u061f\u06d4][\"')\]\u201d\u2019\u300d\u300f\uff09]*"
)
"""A full stop and its like, and those of Chinese, Japanese, Hindi, Arabic and Urdu, which need no space behind them."""
LIST_NUMBER = re.compile(r"(^|\s)\d+\.$")


@cache
def pattern(written: str) -> "Pattern[str]":
    """A pattern as the library `regex` reads it, which knows scripts; it loads where texts are read."""
    import regex

    return regex.compile(written, regex.VERSION1)


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; of scripts without spaces, pairs of neighbouring characters.

    Letters count alike in full width and in half, and invisible characters (a zero-width space, say) part no word.

    Example:
        >>> words("Don't shout!"), words("\u4e0d\u8981\u558a")
        (["don't", 'shout'], ['\u4e0d\u8981', '\u8981\u558a'])
    """
    lowered = text.lower().replace("\u2019", "'")
    if lowered.isascii():
        return ASCII_WORD.findall(lowered)
    shown = "".join(one for one in unicodedata.normalize("NFKC", lowered) if unicodedata.category(one) != "Cf")
    found: list[str] = []
    for match in pattern(WORD).finditer(shown):
        run = match[0]
        pairs = match[1] is not None and len(run) > 1
        found += [run[start : start + 2] for start in range(len(run) - 1)] if pairs else [run]
    return found


def word_count(text: str) -> int:
    """Words, as spaces part them; in scripts without spaces, one for every `CHARACTERS_A_WORD` characters of a run.

    Example:
        >>> word_count("Don't shout, self-made!"), word_count("\u4e0d\u8981\u5927\u58f0\u558a")
        (3, 3)
    """
    unspaced = pattern(UNSPACED_RUN)
    runs = unspaced.findall(text)
    spaced = unspaced.sub(" ", text) if runs else text
    parts = [part for part in spaced.split() if not runs or pattern(WORD).search(part)]  # punctuation alone parts runs
    return len(parts) + sum(max(1, round(len(run) / CHARACTERS_A_WORD)) for run in runs)


def gap_after(opening: str) -> str:
    """What stands between an opening and the text that goes on from it: a space; none in a script without spaces."""
    return "" if pattern(UNSPACED_END).search(opening.rstrip()) else " "


def word_pattern(wanted: Iterable[str]) -> re.Pattern[str]:
    """What finds any of these words in a text: whole ones, where spaces part them.

    Example:
        >>> word_pattern(["harm"]).search("Harmless, not harm.").span()
        (14, 18)
    """
    any_of = "|".join(rf"\b{re.escape(one)}\b" if gap_after(one) else re.escape(one) for one in wanted)
    return re.compile(any_of, re.IGNORECASE)


def shingles(text: str, size: int) -> set[tuple[str, ...]]:
    """All runs of `size` consecutive words."""
    listed = words(text)
    return {tuple(listed[start : start + size]) for start in range(len(listed) - size + 1)}


def repeated_share(text: str) -> float:
    """Share of the runs of `REPEATED_WORDS` words that stood there before: 0 for text that never repeats itself."""
    count = len(words(text)) - REPEATED_WORDS + 1
    return 1 - len(shingles(text, REPEATED_WORDS)) / count if count > 0 else 0.0


def copied_share(text: str, sources: Iterable[str]) -> float:
    """Share of the text's runs of `COPIED_WORDS` words that stand in one of the sources."""
    own = shingles(text, COPIED_WORDS)
    copied = own & set().union(*(shingles(source, COPIED_WORDS) for source in sources))
    return len(copied) / len(own) if own else 0.0


def whole_sentences(text: str, finished: bool) -> str:
    """The text up to its last complete sentence, or all of it where the model ended it; empty where none is whole.

    A list's number ("2.") ends no sentence.
    """
    if finished:
        return text.strip()
    ends = sentence_ends(text)
    return text[: ends[-1]].strip() if ends else ""


def sentence_ends(text: str) -> list[int]:
    """Where sentences end, as the places behind them. A list's number ("2.") ends none; an abbreviation may.

    Example:
        >>> sentence_ends("Hello. Who is it?"), sentence_ends("1. Hello")
        ([6, 17], [])
    """
    return [match.end() for match in SENTENCE_END.finditer(text) if not LIST_NUMBER.search(text[: match.end()])]


def cue_runs(cues: Iterable[str], allowed: Iterable[str] = ()) -> set[tuple[str, ...]]:
    """Runs of `CUE_WORDS` words of each cue (all words of a shorter one, of three at least) that no `allowed` text has.

    A cue of one or two words ("You should") is too common to be recognised as a cue.
    """
    permitted = list(allowed)
    runs: set[tuple[str, ...]] = set()
    for cue in cues:
        length = min(CUE_WORDS, len(words(cue)))
        if length >= 3:
            runs |= shingles(cue, length) - set().union(*(shingles(other, length) for other in permitted))
    return runs


def cue_leaks(text: str, cues: Iterable[str], allowed: Iterable[str] = ()) -> bool:
    """Whether a run of a cue's words stands in the text."""
    runs = cue_runs(cues, allowed)
    return any(runs & shingles(text, length) for length in {len(run) for run in runs})
