"""In which scripts texts are written, by Unicode's names for them: Latin, Han, Cyrillic and so on."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import islice

from amends.text.words import WORD, pattern

ROWS = 1_000  # enough to say in which script most of a set is
# What says nothing of the language around it.
NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+", re.DOTALL)


def is_script(name: str) -> bool:
    """Whether Unicode has a script of that name."""
    import regex

    try:
        pattern(rf"\p{{Script={name}}}")
    except regex.error:
        return False
    return re.fullmatch(r"[A-Z]\w+", name) is not None


def words_by_script(text: str) -> Counter[str]:
    """How many words of each script a text has; of scripts without spaces, characters. Code and addresses do not count.

    Example:
        >>> words_by_script("\u7528 Python \u5199 3 \u884c")
        Counter({'Han': 3, 'Latin': 1})
    """
    counts: Counter[str] = Counter()
    for match in pattern(WORD).finditer(unicodedata.normalize("NFKC", NO_PROSE.sub(" ", text))):
        letters = [one for one in match[0] if unicodedata.category(one).startswith("L")]
        counts.update(filter(None, map(_script, letters if match[1] else letters[:1])))
    return counts


def unread_script(texts: Iterable[str], scripts: Collection[str]) -> str:
    """The script of most of the first `ROWS` texts, where that is none of `scripts`; else empty.

    A text is read where a third of its words are; one without words has no say.
    """
    read, others = 0, Counter[str]()
    for text in islice(texts, ROWS):
        counts = words_by_script(text)
        known = sum(counts[script] for script in scripts)
        if 3 * known >= counts.total():
            read += bool(known)
        else:
            others[next(name for name, _ in counts.most_common() if name not in scripts)] += 1
    return others.most_common(1)[0][0] if others.total() > read else ""


@lru_cache(maxsize=20_000)
def _script(letter: str) -> str:
    """The script of a letter; empty for one that several share. The names of letters begin with their script's."""
    parts = unicodedata.name(letter, "").replace("-", " ").title().split()
    for name in ("Han", *("_".join(parts[:count]) for count in (3, 2, 1))):
        if is_script(name) and pattern(rf"\p{{Script={name}}}").match(letter):
            return name
    return "" if pattern(r"\p{Script=Common}|\p{Script=Inherited}").match(letter) else "an unknown script"
