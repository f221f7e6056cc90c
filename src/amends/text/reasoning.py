"""Blocks of reasoning in what models write: taken out, and looked for where none may be.

The marks are those of public chat templates: `<think>` (DeepSeek-R1, Qwen3), `<thought>` (EXAONE), `<seed:think>`
(Seed-OSS), `[THINK]` (Magistral), Kimi's triangles, `<|channel|>` (gpt-oss), `<|channel>` (Gemma), `<|START_THINKING|>`
(Command A), `<|inner_prefix|>` (Apertus), `<|begin_of_thought|>` (Sky-T1), `<|im_start|>think` (s1).
"""

import re
from collections.abc import Iterator

_NAME = r"(?!end_|start_)(?:[a-z]{1,20}[:_])?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)"
_BEGIN, _END = r"(?:<|&lt;)\s{0,9}(?:\|\s{0,9})?", r"\s{0,9}(?:\|\s{0,9})?(?:>|&gt;)"  # bounded, or time is quadratic
_ATTRIBUTES = r"""(?:\s{1,99}[\w:.-]+\s{0,9}=\s{0,9}(?:"[^"<>]*"|'[^'<>]*'|[^\s<>"'/|]+))*"""
_SPOKEN = r"(?:thought|think|thinking|reasoning)"
_OPENING = (
    rf"{_BEGIN}{_NAME}{_ATTRIBUTES}{_END}",
    r"\[\s{0,9}think\s{0,9}\]",
    r"◁\s{0,9}think\s{0,9}▷",
    rf"<\|(?:begin_of|start)_{_SPOKEN}\|>",
    r"<\|inner_prefix\|>",
    r"<\|im_start\|>think\b",
    r"<\|channel\|>\s{0,9}(?!final\b)\w+",
    r"<\|channel>",
    r"\Aanalysis(?-i:(?:We|User|The|I|Need|Let|This|They|It|Okay|So)\b)",  # gpt-oss where special tokens were left out
)
_CLOSING = (
    rf"{_BEGIN}/\s{{0,9}}(?:\|\s{{0,9}})?{_NAME}{_END}",
    r"\[\s{0,9}/\s{0,9}think\s{0,9}\]",
    r"◁\s{0,9}/\s{0,9}think\s{0,9}▷",
    rf"<\|end(?:_of)?_{_SPOKEN}\|>",
    r"<\|inner_suffix\|>",
    r"<channel\|>",
)
_ANSWER = (  # it begins here, whatever is open
    r"<\|channel\|>\s{0,9}final\b(?:\s{0,9}<\|constrain\|>\s{0,9}\w+)?(?:\s{0,9}<\|message\|>)?",
    r"<\|im_start\|>answer\b",
    r"(?<=\S)(?-i:assistantfinal(?![a-z]))",
)
_NOTHING = (rf"{_BEGIN}{_NAME}{_ATTRIBUTES}\s{{0,9}}/{_END}",)
_KINDS = {"opening": _OPENING, "closing": _CLOSING, "answer": _ANSWER, "nothing": _NOTHING}
_MARK = re.compile("|".join(f"(?P<{kind}>{'|'.join(marks)})" for kind, marks in _KINDS.items()), re.IGNORECASE)
_AROUND = re.compile(
    r"<\|start\|>assistant\b|<\|(?:message|end|return|(?:start|end)_response|(?:begin|end)_of_solution)\|>"
    r"|</?(?:answer|response)>",
    re.IGNORECASE,
)
"""Marks of the same templates around the answer itself; they go where reasoning was."""
_LEFT = re.compile(rf"(?:<|&lt;|◁)[\s|/]*{_NAME}[\s|/]*(?:>|&gt;|▷|\Z)|<\|?channel\|?>", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)(?:`.`|\".\"|'.'|“.”|‘.’|«.»)(?!\w)", re.DOTALL)


def without_reasoning(text: str) -> str:
    """The text without its blocks of reasoning, in time linear in its length; as it is where it has none.

    A block that is never closed goes to the end. A closing mark that nothing opens ends a block that began with the
    text, since templates write the opening into the prompt. A mark in quotes (`<think>` in code) is spoken of and
    stays.

    >>> without_reasoning("<think>Let me see.</think>No, thank you.")
    'No, thank you.'
    """
    marks = list(_marks(text))
    if not marks:
        return text
    pieces: list[str] = []
    for begin, end in _kept(marks, len(text)):
        piece = _AROUND.sub("", text[begin:end])
        if piece.strip():
            if pieces:
                pieces[-1], gap, piece = _with_one_gap(pieces[-1], piece)
                pieces.append(gap)
            pieces.append(piece)
    return "".join(pieces).strip()


def has_reasoning(text: str) -> bool:
    """Whether a mark of reasoning stands in the text, a whole one or what is left of one."""
    return next(_marks(text), None) is not None or any(not _is_quoted(found, text) for found in _LEFT.finditer(text))


def _marks(text: str) -> Iterator[re.Match[str]]:
    return (found for found in _MARK.finditer(text) if not _is_quoted(found, text))


def _is_quoted(found: re.Match[str], text: str) -> bool:
    begin, end = found.span()
    return bool(_QUOTED.search(f"{text[max(begin - 2, 0) : begin]}.{text[end : end + 2]}"))


def _kept(marks: list[re.Match[str]], length: int) -> list[tuple[int, int]]:
    """The stretches outside blocks, as (begin, end). What is opened inside a block has to be closed before it is.

    Unless it never is: then the last closing mark ends the block, and what was opened was only spoken of.
    """
    kept: list[tuple[int, int]] = []
    begin, depth, closed = 0, 0, False  # `closed`: whether the open block has a closing mark
    for mark in marks:
        kind = mark.lastgroup
        if kind == "opening":
            if depth == 0:
                kept.append((begin, mark.start()))
                closed = False
            depth += 1
        elif kind == "nothing":
            if depth == 0:
                kept.append((begin, mark.start()))
                begin = mark.end()
        else:
            if depth == 0:  # nothing opened it: all that stands before it was reasoning
                kept = []
            depth = max(depth - 1, 0) if kind == "closing" else 0
            begin, closed = mark.end(), True
    return [*kept, (begin, length)] if depth == 0 or closed else kept


def _with_one_gap(before: str, behind: str) -> tuple[str, str, str]:
    """Two stretches, and between them the wider of the two gaps that the block leaves."""
    left, right = before.rstrip(), behind.lstrip()
    gaps = before[len(left) :], behind[: len(behind) - len(right)]
    return left, max(gaps, key=lambda gap: (gap.count("\n"), len(gap))), right
