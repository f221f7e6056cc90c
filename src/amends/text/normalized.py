"""When two prompts count as the same: their normalised text, and eight bytes to remember it by."""

import hashlib
import unicodedata

KEY_BYTES = 8


def normalize_prompt(text: str) -> str:
    """The text without what does not make a prompt another one: case, width, white space, punctuation at the ends.

    Text that is punctuation alone keeps it, so that "???" and "!!!" stay two prompts.
    """
    # Case folding can undo the composition, so that it is composed once more.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    collapsed = " ".join(folded.split())
    start, end = 0, len(collapsed)
    while start < end and _is_edge(collapsed[start]):
        start += 1
    while end > start and _is_edge(collapsed[end - 1]):
        end -= 1
    return collapsed[start:end] or collapsed


def prompt_key(text: str) -> bytes:
    """A hash of the normalised prompt, so that a million prompts are remembered in tens of megabytes.

    With 8 bytes, a million prompts collide with a probability of 3e-8.
    """
    return hashlib.blake2b(normalize_prompt(text).encode(), digest_size=KEY_BYTES).digest()


def _is_edge(character: str) -> bool:
    return character == " " or unicodedata.category(character).startswith("P")
