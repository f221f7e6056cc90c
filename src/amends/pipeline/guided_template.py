"""A chat template with the reminder and the system prompt in it, for servers that know nothing of amends."""

import json
from dataclasses import replace
from typing import Any

from amends.errors import ModelError
from amends.models.chat import plain, render, template_with
from amends.models.loading import load_tokenizer
from amends.models.source import ModelSource
from amends.prompts import Guide
from amends.records import Conversation, Message, UserPrompt

TURNS = (Message(role="system", content="Be short."), Message(role="user", content="Hello."))
MORE = (*TURNS, Message(role="assistant", content="Hi."), Message(role="user", content="Why?"))
TRIED: tuple[UserPrompt, ...] = ("Hello.", Conversation(TURNS), Conversation(MORE), Conversation(MORE[1:]))

# On one line each: a line break in a template is one of what the model reads.
SUFFIX = (
    "{% set amends = namespace(last=-1, turns=[]) %}"
    "{% for turn in messages %}{% if turn.role == 'user' %}{% set amends.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for turn in messages %}"
    "{% if loop.index0 != amends.last %}{% set amends.turns = amends.turns + [turn] %}"
    "{% elif turn.content is string %}"
    "{% set amends.turns = amends.turns + [dict(turn, content=turn.content + '\\n\\n' + WORDS)] %}"
    "{% else %}"
    "{% set amends.turns = amends.turns + [dict(turn, content=turn.content + [{'type': 'text', 'text': WORDS}])] %}"
    "{% endif %}{% endfor %}{% set messages = amends.turns %}\n"
)
SYSTEM = (
    "{% if messages[0].role == 'system' %}"
    "{% set messages = [dict(messages[0], content=messages[0].content + '\\n\\n' + WORDS)] + messages[1:] %}"
    "{% else %}{% set messages = [{'role': 'system', 'content': WORDS}] + messages %}{% endif %}\n"
)


def guided_template(guide: Guide, source: ModelSource, system_prompt: str | None) -> str:
    """The model's chat template, which puts the guide's words where guided inference has them.

    Args:
        guide: the reminder. A prefill is no part of a template.
        source: the model.
        system_prompt: the system turn of conversations that have none of their own.

    Raises:
        ModelError: it does not come out as in guided inference, since the template has no place for it.
    """
    tokenizer = load_tokenizer(replace(source, system_prompt=None))
    measured = load_tokenizer(replace(source, system_prompt=system_prompt))
    template = template_with(system_prompt, tokenizer) if system_prompt else str(tokenizer.get_chat_template())
    for words, block in ((guide.system, SYSTEM), (guide.suffix, SUFFIX)):
        if words:
            template = block.replace("WORDS", json.dumps(plain(words, tokenizer), ensure_ascii=False)) + template
    for asked in TRIED:
        _compare(guide, asked, tokenizer, measured, template)
    return template


def _compare(guide: Guide, asked: UserPrompt, tokenizer: Any, measured: Any, template: str) -> None:
    """Raises ModelError where the template asks otherwise than guided inference does."""
    try:
        expected = render(guide.prompt(asked).messages, measured, True)
    except ModelError:
        return  # a conversation that the model does not take in either way
    turns = asked.root if isinstance(asked, Conversation) else (Message(role="user", content=asked),)
    if render(turns, tokenizer, True, chat_template=template) != expected:
        raise ModelError(
            "its chat template does not take the reminder in as guided inference does; leave --with-reminder out, and "
            "serve it with `amends serve`"
        )
