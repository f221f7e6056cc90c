"""What an OpenAI-compatible server sent, read whatever it holds: the answer, how it ended, and what it cost."""

import json
import re
from dataclasses import dataclass
from typing import Any

from amends.text.reasoning import without_reasoning

_CUT = re.compile(r"length|max|limit|truncat|incomplete|exceed|window|budget|pause")
_STOPPED = re.compile(
    r"filter|safety|recitation|block|prohibit|error|abort|cancel|tool|function|time_?out|interrupt|preempt|repetition"
)
"""Words of reasons to end that are not the model's own; others say that it ended its turn (stop, eos, end_turn ...)."""
_THOUGHTS = ("reasoning_content", "reasoning")  # fields beside the answer, which are never taken for it
MAX_SHOWN = 200


class NoReplyError(ValueError):
    """What came is no answer; the message says what it is instead."""


@dataclass(frozen=True)
class Reply:
    """One answer.

    Args:
        text: what a user sees: without reasoning; a refusal in a field of its own is one.
        ended: whether the model ended it.
        cut: whether the limit of tokens did.
        said: whether the server told how it ended.
        reasoned: whether there was reasoning beside it.
        tokens: as the server counts them, with reasoning.
        read: tokens of the prompt, as the server counts them.
    """

    text: str
    ended: bool
    cut: bool
    said: bool
    reasoned: bool
    tokens: int | None
    read: int | None = None


def read_reply(body: bytes) -> Reply:
    """The answer in a body. Raises NoReplyError where there is none: wrong types, or neither text nor refusal."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        start = " ".join(body[:MAX_SHOWN].decode("utf-8", "replace").split())
        raise NoReplyError(f"it sent no JSON, but {start!r}") from None
    found = _typed(found, dict, "its answer")
    choices = found.get("choices")
    if not choices or not isinstance(choices, list):
        raise NoReplyError(f"it sent no answer, but {_shown(found.get('error') or found)}")
    choice = _typed(choices[0], dict, "choices[0]")
    message = _typed(choice.get("message"), dict, "its message")
    reason = _typed(choice.get("finish_reason") or "", str, "its finish_reason").lower()
    cut, stopped = bool(_CUT.search(reason)), bool(_STOPPED.search(reason))
    written, refusal = _text(message.get("content")), _typed(message.get("refusal") or "", str, "its refusal")
    if written is None and not refusal and not cut and "filter" not in reason:
        raise NoReplyError("its answer has no content")
    text = without_reasoning(written or "") or ("" if (written or "").strip() else refusal)
    thought = any(message.get(name) for name in _THOUGHTS) or _has_thoughts(message.get("content"))
    reasoned = thought or (text != (written or "") and not refusal)
    return Reply(
        text=text.encode("utf-8", "replace").decode(),  # half a surrogate pair is no text
        ended=not cut and not stopped and bool(text or not reasoned),
        cut=cut,
        said=bool(reason),
        reasoned=reasoned,
        tokens=_tokens(found.get("usage"), "completion_tokens"),
        read=_tokens(found.get("usage"), "prompt_tokens"),
    )


def read_models(body: bytes) -> list[str]:
    """The names in a list of models; none where it is no such list."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    listed = found.get("data") if isinstance(found, dict) else None
    models = listed if isinstance(listed, list) else []
    return [one["id"] for one in models if isinstance(one, dict) and isinstance(one.get("id"), str)]


def _text(content: Any) -> str | None:
    """The text of a message's content; of a list of parts that of its texts, without thoughts, images and the like."""
    if content is None or isinstance(content, str):
        return content
    texts = []
    for part in _typed(content, list, "its content"):
        if isinstance(part, str):
            texts.append(part)
        elif _typed(part, dict, "a part of its content").get("type", "text") in ("text", "output_text", "refusal"):
            value = part.get("text", part.get("refusal"))
            texts.append(_typed(value, str, "the text of a part of its content"))
    return "".join(texts) if texts else None


def _has_thoughts(content: Any) -> bool:
    kinds = [part.get("type") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return any(isinstance(kind, str) and re.search("think|reason", kind) for kind in kinds)


def _tokens(usage: Any, name: str) -> int | None:
    counted = None if usage is None else _typed(usage, dict, "its usage").get(name)
    return None if counted is None else max(0, _typed(counted, int, name))


def _typed(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise NoReplyError(f"{name} is {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])[:MAX_SHOWN]
    return json.dumps(value, ensure_ascii=False)[:MAX_SHOWN]
