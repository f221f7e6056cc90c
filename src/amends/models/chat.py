"""Conversations as a model's chat template renders them: the same wherever they are read, without a block of reasoning.

Control tokens that are written out in messages are broken up, so that they stay text: a template's own alone open and
close turns.
"""

import functools
import json
import re
from collections.abc import Iterable
from typing import Any

from amends.errors import ModelError
from amends.records import Message

SWITCHES = {"enable_thinking": False, "date_string": "26 Jul 2024"}
"""What templates are told; those that do not know of it do not read it.

No reasoning from models that can answer with it and without (Qwen3, GLM-4.5, SmolLM3 and others); and Llama 3's own
date in the place of today's, so that a prompt is the same tomorrow. Source: the templates of Qwen/Qwen3-0.6B,
zai-org/GLM-4.5, HuggingFaceTB/SmolLM3-3B and meta-llama/Llama-3.2-1B-Instruct.
"""


def render(messages: Iterable[Message], tokenizer: Any, opens: bool, **options: Any) -> str:
    """The conversation as text, with the opening of the model's turn behind it or not; `options` are the template's.

    Raises ModelError where the template does not take such a conversation.
    """
    text = _apply(messages, tokenizer, opens, **options)
    first = _frame(tokenizer, str(tokenizer.chat_template))[0] if opens and not options else ""
    return text + first if first.strip() and not open_reasoning(text) else text


def _apply(messages: Iterable[Message], tokenizer: Any, opens: bool, **options: Any) -> str:
    turns = plain_messages(messages, tokenizer)
    try:
        return str(
            tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=opens, **SWITCHES, **options)
        )
    except Exception as error:  # whatever the template raises
        roles = ", ".join(turn["role"] for turn in turns)
        raise ModelError(f"its chat template does not take these roles ({roles}): {error}") from error


def opens_with_more(tokenizer: Any) -> bool:
    """Whether `render` opens the model's turn with more than the template does."""
    question = [Message(role="user", content="Hello.")]
    return render(question, tokenizer, True) != _apply(question, tokenizer, True)


def template_with(system_prompt: str, tokenizer: Any) -> str:
    """The tokenizer's chat template, which begins conversations without a system turn with this one.

    Raises ModelError where it does not write system turns, or not before an answer (Mistral's of 2024 drop them there).
    """
    text = plain(system_prompt.strip(), tokenizer)
    turn = f"{{'role': 'system', 'content': {json.dumps(text, ensure_ascii=False)}}}"
    opening = f"{{% if messages[0].role != 'system' %}}{{% set messages = [{turn}] + messages %}}{{% endif %}}"
    told = f"{opening}\n{tokenizer.get_chat_template()}"  # the line end goes with the block before it
    itself, question = Message(role="system", content=text), Message(role="user", content="Hello.")
    answer = Message(role="assistant", content="Hi.")
    for turns, where in (([question], ""), ([question, answer], " before an answer")):
        try:
            written = _apply([itself, *turns], tokenizer, False)
            faithful = text in written and written == _apply(turns, tokenizer, False, chat_template=told)
        except ModelError:
            faithful = False
        if not faithful:
            raise ModelError(f"its chat template writes no system turn{where}; leave the system prompt out")
    return told


def lead(tokenizer: Any) -> str:
    """What stands between the opened turn and its answer: a line break in GLM-4.5's template.

    Words there, such as the channel in gpt-oss's, open the turn already, or it would reason first.
    """
    first = _frame(tokenizer, str(tokenizer.chat_template))[0]
    return "" if first.strip() else first


def end_of_turn_token(tokenizer: Any) -> int:
    """Id of the token that ends an assistant's turn in the chat template; the tokenizer's where it has none (GLM-4.5).

    Raises ModelError where there is neither.
    """
    behind = _frame(tokenizer, str(tokenizer.chat_template))[1]
    special = {place for place, token in tokenizer.added_tokens_decoder.items() if token.special}
    special |= {*tokenizer.all_special_ids, tokenizer.eos_token_id}
    found = [token for token in tokenizer(behind, add_special_tokens=False).input_ids if token in special]
    end = found[0] if found else tokenizer.eos_token_id
    if end is None:
        raise ModelError(
            "neither its chat template nor its tokenizer ends an answer with a token: it cannot learn to stop"
        )
    return int(end)


@functools.lru_cache(maxsize=8)
def _frame(tokenizer: Any, template: str) -> tuple[str, str]:
    """What `template`, the tokenizer's, writes before and behind an answer."""
    question, answer = Message(role="user", content="a"), Message(role="assistant", content="Hello.")
    before, _, behind = _apply([question, answer], tokenizer, False).rpartition(answer.content)
    try:
        opened = _apply([question], tokenizer, True)
    except ModelError:  # a guard model's template wants the answer, too
        opened = before
    return before.removeprefix(opened) if before.startswith(opened) else "", behind


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


def end_tokens(tokenizer: Any, generation: Any) -> frozenset[int]:
    """Ids that end a generation: the chat template's end of turn and the model's own, by its generation config."""
    own = generation.eos_token_id
    own = own if isinstance(own, list) else [own]
    return frozenset({end_of_turn_token(tokenizer), *(int(token) for token in own if token is not None)})
