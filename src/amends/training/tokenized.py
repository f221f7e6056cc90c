"""Tokenized samples in a file that trainers read from disk, so that memory does not grow with their number."""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from amends.errors import SampleError
from amends.prompts import Language
from amends.records import Preference, Sample
from amends.storage.locks import device_errors
from amends.text.reasoning import has_reasoning
from amends.training.tokenize import TokenizedSample, tokenize_sample

Columns = Callable[[Sample, Sequence[TokenizedSample], Any], dict[str, Any]]
"""A trainer's row of a sample, its tokens (of a preference: with the chosen, with the rejected) and the tokenizer."""
BATCH_ROWS = 256


@dataclass
class Lengths:
    """Tokens of samples; a preference counts twice, with its chosen and with its rejected completion.

    Attributes:
        max_length: of a sample.
        kinds: [samples].
        whole: tokens [samples] of prompt and completion.
        prompt: tokens [samples] of the prompt.
        target: tokens [samples] that carry loss.
        cut: the first that is longer than `max_length`.
        empty: the first without a completion.
    """

    max_length: int
    kinds: list[str] = field(default_factory=list)
    whole: "array[int]" = field(default_factory=lambda: array("l"))
    prompt: "array[int]" = field(default_factory=lambda: array("l"))
    target: "array[int]" = field(default_factory=lambda: array("l"))
    cut: str = ""
    empty: str = ""

    def add(self, sample: TokenizedSample) -> None:
        """Counts one."""
        length = len(sample.input_ids)
        if length > self.max_length:
            self.cut = self.cut or f"{sample.id}, {length} tokens"
        if sample.target_tokens <= 1:
            self.empty = self.empty or sample.id
        self.kinds.append(sample.kind)
        self.whole.append(length)
        self.prompt.append(sample.prompt_tokens)
        self.target.append(sample.target_tokens)

    def check(self) -> None:
        """Raises SampleError, with a table, where a sample is longer, or nothing of it carries loss."""
        import numpy as np  # not at the top: the help of every command imports this module

        whole, problems = np.array(self.whole), []
        if self.cut:
            problems.append(
                f"{(whole > self.max_length).sum()} samples are longer than max_length {self.max_length}, so their "
                f"targets would be cut off (first: {self.cut}); set train.max_length (--max-length) to {whole.max()}, "
                "or drop them"
            )
        if self.empty:
            problems.append(
                f"{(np.array(self.target) <= 1).sum()} samples have an empty completion (first: {self.empty}); "
                "drop them"
            )
        if problems:
            raise SampleError("; ".join(problems) + f"\n{self}")

    def __str__(self) -> str:
        """Tokens per kind: count, median, 95th percentile and maximum of the whole sample, and of what carries loss."""
        import numpy as np

        lines = [
            f"{'kind':<10}{'samples':>9}{'tokens: median':>16}{'95%':>7}{'max':>7}{'with loss: median':>20}{'max':>7}"
        ]
        kinds = np.array(self.kinds)
        for kind in sorted(set(self.kinds)):
            whole, target = np.array(self.whole)[kinds == kind], np.array(self.target)[kinds == kind]
            lines.append(
                f"{kind:<10}{len(whole):>9}{np.median(whole):>16.0f}{np.quantile(whole, 0.95):>7.0f}{whole.max():>7}"
                f"{np.median(target):>20.0f}{target.max():>7}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class Tokenized:
    """Samples as a trainer reads them: a file of its rows, and the samples' lengths."""

    path: Path
    lengths: Lengths

    @cached_property
    def rows(self) -> Any:
        """A datasets.Dataset over the file, which stays on disk."""
        from datasets import Dataset

        return Dataset.from_file(str(self.path))

    def moved(self, path: Path) -> "Tokenized":
        """The same with its file at `path`, and no date.

        `datasets` takes a file's date for a part of its content: without one, what TRL's DPOTrainer keeps beside it
        (reference log-probabilities) is found again by a training that goes on.
        """
        self.path.replace(path)
        os.utime(path, (0, 0))
        return replace(self, path=path)

    @property
    def tokens(self) -> int:
        """Of all samples, prompts and completions."""
        return sum(self.lengths.whole)

    @property
    def longest(self) -> int:
        """Tokens of the longest sample."""
        return max(self.lengths.whole)


def tokenize_samples(
    samples: Iterable[Sample],
    columns: Columns,
    tokenizer: Any,
    max_length: int,
    path: Path,
    language: Language | None = None,
    verdict_weight: float = 1.0,
) -> Tokenized:
    """Writes all samples as token ids to `path`: 8 bytes a token, and as many for labels and weights beside them.

    `language`: in which they were composed, English by default. `verdict_weight`: as of `tokenize_sample`.

    Raises:
        StoreError: the device is full.
        SampleError: there are none; one is longer than `max_length` tokens, so that its target would be cut off, its
            completion is empty, so that nothing carries loss, or has a block of reasoning (invariant 3).
    """
    lengths = Lengths(max_length)

    def rows() -> Iterator[dict[str, Any]]:
        for sample in samples:
            of_sample = _sides(sample)
            _refuse_reasoning(of_sample)
            sides = [tokenize_sample(side, tokenizer, language, verdict_weight) for side in of_sample]
            for side in sides:
                lengths.add(side)
            yield columns(sample, sides, tokenizer)

    _write(rows(), path)
    lengths.check()
    return Tokenized(path, lengths)


def _write(rows: Iterable[dict[str, Any]], path: Path) -> None:
    import pyarrow

    rows = iter(rows)
    batches = (pyarrow.Table.from_pylist(batch) for batch in iter(lambda: list(islice(rows, BATCH_ROWS)), []))
    first = next(batches, None)
    if first is None:
        raise SampleError("no samples to train on; compose some first")
    with device_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file, pyarrow.ipc.new_stream(file, first.schema) as writer:
            writer.write_table(first)
            for batch in batches:
                writer.write_table(batch)


def _refuse_reasoning(sides: Iterable[Sample]) -> None:
    for side in sides:
        if any(has_reasoning(message.content) for message in side.completion):
            raise SampleError(
                f"sample {side.id}: a block of reasoning, or what is left of one, stands in its completion; take it out"
            )


def _sides(sample: Sample) -> list[Sample]:
    if not isinstance(sample, Preference):
        return [sample]
    both = {"chosen": sample.completion, "rejected": sample.rejected}
    return [
        Sample(id=f"{sample.id} ({side})", kind=sample.kind, prompt=sample.prompt, completion=completion)
        for side, completion in both.items()
    ]
