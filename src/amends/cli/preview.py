"""Composed samples, token by token, on the terminal: what a training would see of each kind, and where its loss is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from amends.data.rows import read_rows
from amends.models.chat import end_of_turn_token
from amends.prompts import Language
from amends.records import Sample
from amends.text.display import for_terminal
from amends.training.compose import first_samples
from amends.training.tokenize import NO_LOSS, TokenizedSample, tokenize_sample


class Mark(NamedTuple):
    """How a kind of token is shown: colours on a terminal, brackets elsewhere, and what the legend says of it."""

    style: str
    before: str
    behind: str
    meaning: str


PROMPT = Mark("dim", "", "", "prompt: read, without loss")
TARGET = Mark("black on green", "[", "]", "target: carries loss, this is learnt")
CONDITION = Mark("black on yellow", "{", "}", "condition: stands in the answer without loss")
END = Mark("black on cyan", "[", "]", "end of turn: carries loss, the model learns to stop")
MARKS = (PROMPT, TARGET, CONDITION, END)
MOST_TOKENS_OF_A_CHARACTER = 4


def preview_samples(samples: Path, tokenizer: Any, count: int, language: Language, to_stderr: bool = False) -> None:
    """Prints the legend, and the first `count` samples of each kind."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, stderr=to_stderr)

    def marked(text: str, mark: Mark) -> Text:
        if console.is_terminal:
            return Text(text, style=mark.style)
        return Text(f"{mark.before}{text}{mark.behind}")

    shown = first_samples(read_rows(samples, Sample), count)
    console.rule("what the marks mean")
    end = for_terminal(tokenizer.decode([end_of_turn_token(tokenizer)]))
    for mark in MARKS:
        console.print(marked(end if mark is END else "text", mark) + Text(f"  {mark.meaning}"))
    for sample in shown:
        tokens = tokenize_sample(sample, tokenizer, language)
        title = f"{tokens.id}: {len(tokens.input_ids)} tokens, loss on {tokens.target_tokens}"
        console.rule(Text(for_terminal(title)))
        console.print(Text().join(marked(for_terminal(text), mark) for text, mark in _pieces(tokens, tokenizer)))


def _pieces(sample: TokenizedSample, tokenizer: Any) -> Iterator[tuple[str, Mark]]:
    """The tokens' texts with their marks; tokens that are a character together are a piece together."""
    ids: list[int] = []
    for place, (token, label) in enumerate(zip(sample.input_ids, sample.labels, strict=True)):
        ids.append(token)
        last = place + 1 == len(sample.input_ids)
        text = tokenizer.decode(ids)
        if text.endswith("\ufffd") and len(ids) < MOST_TOKENS_OF_A_CHARACTER and not last:
            continue
        ids = []
        if place < sample.prompt_tokens:
            yield text, PROMPT
        elif label == NO_LOSS:
            yield text, CONDITION
        else:
            yield text, END if last else TARGET
