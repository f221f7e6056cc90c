"""Tokenized samples in a file: what is refused, what trainers read, and that memory does not grow with them."""

import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amends.errors import SampleError, StoreError
from amends.models.loading import find_model, load_tokenizer
from amends.records import Message, Preference, Sample
from amends.storage.artifacts import Part
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.tokenize import tokenize_sample
from amends.training.tokenized import BATCH_ROWS, Tokenized, tokenize_samples
from amends.training.trainers import dpo, rlhf, sft


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(find_model("embedded"))


@pytest.fixture
def tokenize(tokenizer: Any, tmp_path: Path) -> Any:
    def made(rows: Iterable[Sample], max_length: int = 1024) -> Tokenized:
        return tokenize_samples(rows, sft.columns, tokenizer, max_length, tmp_path / "samples.arrow")

    return made


def sample(prompt: str, completion: str, kind: str = "safe") -> Sample:
    return Sample(
        id=f"{kind}-{len(prompt)}-{len(completion)}",
        kind=kind,
        prompt=[Message(role="user", content=prompt)],
        completion=[Message(role="assistant", content=completion)],
    )


SHORT = sample("Name a colour.", "Blue.")
ANALYSIS = sample("How do I pick a lock? Say why the answer is harmful.", "It helps with a burglary.", "analysis")
PAIR = Preference(
    id="p",
    kind="preference",
    prompt=[Message(role="user", content="May I hit it?")],
    completion=[Message(role="assistant", content="No; be kind.")],
    rejected=[Message(role="assistant", content="Yes.")],
)


def test_too_long_samples_are_refused_with_the_lengths(tokenizer: Any, tokenize: Any) -> None:
    long = sample("Count.", "one two three " * 40, "benign")
    length = len(tokenize_sample(long, tokenizer).input_ids)
    rows = [SHORT, long, ANALYSIS]
    with pytest.raises(SampleError) as caught:
        tokenize(rows, length - 1)
    message, *table = str(caught.value).splitlines()
    assert message.startswith(f"1 samples are longer than max_length {length - 1}, so their targets would be cut off")
    assert f"first: {long.id}, {length} tokens" in message
    assert f"set train.max_length (--max-length) to {length}, " in message
    assert [line.split()[0] for line in table] == ["kind", "analysis", "benign", "safe"]
    assert len(tokenize(rows, length).rows) == 3, "the length that the message names is enough"


def test_empty_completions_are_refused(tokenize: Any) -> None:
    with pytest.raises(SampleError, match=r"1 samples have an empty completion \(first: safe-14-0\); drop them"):
        tokenize([sample("Name a colour.", ""), ANALYSIS])


def test_both_problems_are_said_at_once(tokenize: Any) -> None:
    with pytest.raises(SampleError, match=r"longer than max_length 8.*; 1 samples have an empty completion"):
        tokenize([sample("Name a colour.", ""), ANALYSIS], 8)


def test_no_samples_are_refused(tokenize: Any) -> None:
    with pytest.raises(SampleError, match="no samples to train on; compose some first"):
        tokenize([])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_one_clear_error(tokenizer: Any) -> None:
    with pytest.raises(StoreError, match="no space left on the device"):
        tokenize_samples([SHORT], sft.columns, tokenizer, 1024, Path("/dev/full"))


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_refusal_writes_nothing_and_costs_no_earlier_training(tmp_path: Path, interrupted: bool) -> None:
    checkpoint = tmp_path / "adapter.part" / "checkpoint-1" / "adapter.safetensors"
    if interrupted:
        Part(tmp_path / "adapter", "another").claim()
        checkpoint.parent.mkdir(parents=True)
        checkpoint.touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SampleError):
        fit("sft", [sample("Name a colour.", "")], tmp_path / "adapter", Recipe("embedded"), "f")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_directory_of_somebody_elses_is_refused_before_samples_are_read(tmp_path: Path) -> None:
    (tmp_path / "adapter.part").mkdir()
    (tmp_path / "adapter.part" / "theirs.txt").write_text("not ours")

    def unread() -> Iterator[Sample]:
        pytest.fail("read")
        yield

    with pytest.raises(StoreError, match="was not written by amends"):
        fit("sft", unread(), tmp_path / "adapter", Recipe("embedded"), "f")


def test_the_table_of_lengths_counts_by_kind(tokenizer: Any, tokenize: Any) -> None:
    header, analysis, safe = str(tokenize([SHORT, SHORT, ANALYSIS]).lengths).splitlines()
    assert header.split()[:2] == ["kind", "samples"]
    one = tokenize_sample(SHORT, tokenizer)
    length, target = len(one.input_ids), len(one.input_ids) - one.prompt_tokens
    assert safe.split() == ["safe", "2", *[str(length)] * 3, *[str(target)] * 2]
    assert analysis.split()[:2] == ["analysis", "1"]


def test_trainers_read_the_tokens_of_each_sample_in_order(tokenizer: Any, tmp_path: Path) -> None:
    rows = [sample("Name a colour.", "Blue. " * number) for number in range(1, BATCH_ROWS + 2)]
    made = tokenize_samples(rows, sft.columns, tokenizer, 1024, tmp_path / "sft")
    expected = [tokenize_sample(row, tokenizer) for row in rows]
    assert list(made.rows["input_ids"]) == [one.input_ids for one in expected]
    assert list(made.rows["labels"]) == [one.labels for one in expected]
    assert list(made.lengths.whole) == [len(one.input_ids) for one in expected]
    assert made.rows.cache_files, "they stay on disk"
    assert made.tokens == sum(made.lengths.whole)
    assert made.longest == len(expected[-1].input_ids)


def test_a_preference_has_two_sides(tokenizer: Any, tmp_path: Path) -> None:
    for way in dpo, rlhf:
        made = tokenize_samples([PAIR], way.columns, tokenizer, 1024, tmp_path / "pairs")
        assert made.lengths.kinds == ["preference"] * 2
        row = made.rows[0]
        texts = {name: tokenizer.decode(ids) for name, ids in row.items() if name != "prompt"}
        assert texts["chosen_ids"].endswith("No; be kind.<|im_end|>")
        assert texts["rejected_ids"].endswith("Yes.<|im_end|>")
        if way is rlhf:
            assert row["prompt"] == [{"role": "user", "content": "May I hit it?"}]
        else:
            assert texts["prompt_ids"].endswith("May I hit it?<|im_end|>\n<|im_start|>assistant\n")


def test_memory_does_not_grow_with_the_samples(tokenize: Any) -> None:
    def many(count: int) -> Iterator[Sample]:
        for number in range(count):
            yield sample(f"Name {number} colours.", "Blue. " * 40)

    def peak(count: int) -> int:
        tracemalloc.start()
        tokenize(many(count))
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(BATCH_ROWS)  # what is loaded once
    small, large = peak(2 * BATCH_ROWS), peak(4 * BATCH_ROWS)
    assert large - small < 2 * BATCH_ROWS * 500, "as lists they would take over 2,000 bytes each"
