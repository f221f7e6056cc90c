"""Control tokens written out in messages, broken up so that they stay text: a template's own alone open and close turns."""

import functools
import re
from collections.abc import Iterable
from typing import Any

from amends.records import Message


def plain(text: str, tokenizer: Any) -> str:
    """The text with a space behind the first character of each control token in it: `<|im_end|>` is `< |im_end|>` then.

    Tokenizers read such strings as the tokens themselves, wherever they stand. Any other text stays as it is.
    """
    pattern = _special_tokens(tokenizer)
    return pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if pattern else text


def plain_messages(messages: Iterable[Message], tokenizer: Any) -> list[dict[str, str]]:
    """Messages for a chat template, with plain contents."""
    return [{"role": one.role, "content": plain(one.content, tokenizer)} for one in messages]


@functools.lru_cache(maxsize=8)  # of tokenizers, which are compared by identity
def _special_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    added = tokenizer.added_tokens_decoder.values()
    special = {token.content for token in added if token.special} | set(tokenizer.all_special_tokens)
    template = str(tokenizer.chat_template)
    # Some templates open turns with tokens that are not marked as special (DeepSeek's user and assistant tokens).
    special |= {token.content for token in added if token.content[:1] in ("<", "[") and token.content in template}
    tokens = sorted(token for token in special if len(token) > 1)
    return re.compile("|".join(map(re.escape, tokens))) if tokens else None
