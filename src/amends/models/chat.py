"""Conversations as a model's chat template renders them: the same wherever they are read, without a block of reasoning.

Control tokens that are written out in messages are broken up, so that they stay text: a template's own alone open and
close turns.
"""

import functools
import re
from collections.abc import Iterable
from typing import Any

from amends.records import Message

NO_REASONING = {"enable_thinking": False}
"""The switch in the templates of models that can answer with reasoning and without (Qwen3, GLM-4.5, SmolLM3 and others).

Templates without it do not read it. Source: the model cards of Qwen/Qwen3-0.6B, zai-org/GLM-4.5, HuggingFaceTB/SmolLM3-3B.
"""


def render(messages: Iterable[Message], tokenizer: Any, opens: bool, **options: Any) -> str:
    """The conversation as text, with the opening of the model's turn behind it or not; `options` are the template's."""
    found = tokenizer.apply_chat_template(
        plain_messages(messages, tokenizer), tokenize=False, add_generation_prompt=opens, **NO_REASONING, **options
    )
    return str(found)


def open_reasoning(text: str) -> str | None:
    """The tag of a block of reasoning that a rendered prompt ends in the middle of; None where it does not."""
    found = re.search(r"<[^<>/]*think[^<>/]*>\s*$", text, re.IGNORECASE)
    return found[0].strip() if found else None


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
