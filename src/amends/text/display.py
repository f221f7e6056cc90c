"""How text that is not ours is shown: what would not be seen, or acts, is escaped."""

import json
import re

# Controls (but tab and line end), soft hyphen, marks and overrides of direction, zero width, half characters, tags.
# The joiners between letters of other scripts than ours are spelling, and stay.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)


MARKDOWN = re.compile(r"[\\`*_{}\[\]()<#!|~&:@$^]|(?<=\w)\.(?=[^\W\d])|(?<=[wW]{3})\.")
"""What Markdown, in any of its kinds, reads as its own: links, pictures, HTML, entities, addresses, formulas, cells."""


def for_terminal(text: str) -> str:
    """Text that a terminal or a page shows and does not obey: what would not be seen, or acts, is escaped.

    That is control characters but tabs and line ends, overrides of direction, and characters without width.
    """
    return UNSEEN.sub(lambda found: _escape(ord(found[0])), text)


def for_json(text: str) -> str:
    """JSON that means the same, and that a terminal shows and does not obey."""
    return UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def for_markdown(text: str) -> str:
    """Text as one line of Markdown that says it literally: no link, picture, HTML or cell comes of it."""
    return for_terminal(MARKDOWN.sub(r"\\\g<0>", " ".join(text.split())))


def shortened(text: str, characters: int) -> str:
    """Text on one line, cut where it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[:characters].rstrip()}…"


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
