"""Small measures of generated text that the gates use."""

import re
from collections.abc import Iterable

REPEATED_WORDS, COPIED_WORDS, CUE_WORDS = 4, 5, 5
MAX_REPEATED, MAX_COPIED = 0.2, 0.4  # the shares above which a text is not trained on
WORD = re.compile(r"[a-z0-9']+")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
SENTENCE_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)")


def for_terminal(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters but tabs and line ends are escaped."""
    return CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return WORD.findall(text.lower().replace("\u2019", "'"))


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
    """The text up to its last complete sentence, or all of it when the model ended it itself; empty where none is whole.

    A list's number ("2.") ends no sentence.
    """
    if finished:
        return text.strip()
    ends = [match.end() for match in SENTENCE_END.finditer(text) if not re.search(r"(^|\s)\d+\.$", text[: match.end()])]
    return text[: ends[-1]].strip() if ends else ""


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
