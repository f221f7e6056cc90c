"""The loop of all stages: chunks, progress, and resuming to the same bytes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_judge import artifact_in, written

from amends.judges.language_model import LanguageModelJudge
from amends.models.local import LocalModel
from amends.protocols import ProgressCallback
from amends.records import Verdict
from amends.stages.streaming import CHUNK_ROWS, chunk_rows_for, chunked, stream


def process(chunk: list[int], number: int, progress: ProgressCallback) -> list[Verdict]:
    """A record depends on its row and on the number of its chunk, as seeds do. Half the rows are reported early."""
    progress(len(chunk) // 2, 2 * len(chunk))
    return [Verdict(id=f"{row}-{number}", verdict="harmless") for row in chunk]


def test_chunked_keeps_the_order_and_holds_one_chunk() -> None:
    drawn: list[int] = []

    def rows() -> Iterator[int]:
        for row in range(7):
            drawn.append(row)
            yield row

    chunks = chunked(rows(), 3)
    assert next(chunks) == [0, 1, 2]
    assert drawn == [0, 1, 2]
    assert list(chunks) == [[3, 4, 5], [6]]
    assert list(chunked([], 3)) == []


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_stream_writes_one_record_a_row(tmp_path: Path, count: int) -> None:
    artifact = artifact_in(tmp_path)
    told: list[tuple[int, int]] = []
    stream(range(count), artifact, process, lambda rows, tokens: told.append((rows, tokens)), chunk_rows=10)
    assert [row.id for row in written(artifact, Verdict)] == [f"{row}-{row // 10}" for row in range(count)]
    assert sum(rows for rows, _ in told) == count
    assert sum(tokens for _, tokens in told) == 2 * count


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_stream_resumes_to_the_same_bytes(tmp_path: Path, chunks: int) -> None:
    whole = artifact_in(tmp_path, "whole.jsonl")
    stream(range(35), whole, process, chunk_rows=10)

    def interrupted(chunk: list[int], number: int, progress: ProgressCallback) -> list[Verdict]:
        if number == chunks:
            raise KeyboardInterrupt
        return process(chunk, number, progress)

    artifact = artifact_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        stream(range(35), artifact, interrupted, chunk_rows=10)
    told: list[tuple[int, int]] = []
    worked: list[int] = []

    def resumed(chunk: list[int], number: int, progress: ProgressCallback) -> list[Verdict]:
        worked.append(number)
        return process(chunk, number, progress)

    stream(range(35), artifact, resumed, lambda rows, tokens: told.append((rows, tokens)), chunk_rows=10)
    assert artifact.part.read_bytes() == whole.part.read_bytes()
    assert worked == list(range(chunks, 4)), "what is there is not made again"
    assert sum(rows for rows, _ in told) == 35, "kept rows count as done"
    assert sum(tokens for _, tokens in told) == 2 * (35 - 10 * chunks), "but nothing was generated for them"


def test_stream_refuses_a_stage_that_drops_rows(tmp_path: Path) -> None:
    artifact = artifact_in(tmp_path)
    with pytest.raises(AssertionError, match="2 records for 3 rows"):
        stream([1, 2, 3], artifact, lambda chunk, *rest: process(chunk[1:], *rest))
    assert written(artifact, Verdict) == []


def test_chunks_are_of_a_fixed_size(tmp_path: Path) -> None:
    """It decides about seeds: another size gives other mistakes, so that it must not change unnoticed."""
    sizes: list[int] = []

    def record(chunk: list[int], number: int, progress: ProgressCallback) -> list[Verdict]:
        sizes.append(len(chunk))
        return process(chunk, number, progress)

    stream(range(300), artifact_in(tmp_path), record)
    assert CHUNK_ROWS == 256
    assert sizes == [256, 44]


class Card:
    """A model on a device that is filled by 20 rows."""

    rows_at_once: int | None = 20


def test_a_device_says_how_many_rows_fill_it() -> None:
    assert chunk_rows_for(object()) == CHUNK_ROWS, "an endpoint, say"
    assert chunk_rows_for(LocalModel("embedded", device="cpu")) == CHUNK_ROWS
    assert chunk_rows_for(LocalModel("embedded", device="cuda")) == 4_096
    assert chunk_rows_for(LanguageModelJudge(LocalModel("embedded", device="cuda"))) == 4_096
    card = Card()
    assert chunk_rows_for(card) == 20
    card.rows_at_once = None
    assert chunk_rows_for(card) == CHUNK_ROWS


@pytest.mark.parametrize(("before", "after"), [(10, 25), (25, 10)])
def test_a_stage_that_goes_on_at_another_device_keeps_its_chunks(tmp_path: Path, before: int, after: int) -> None:
    """Its rows are those of one that was never interrupted, however many rows the other device takes at once."""
    whole = artifact_in(tmp_path, "whole.jsonl")
    stream(range(60), whole, process, chunk_rows=before)
    artifact = artifact_in(tmp_path)

    def interrupted(chunk: list[int], number: int, progress: ProgressCallback) -> list[Verdict]:
        if number == 1:
            raise KeyboardInterrupt
        return process(chunk, number, progress)

    with pytest.raises(KeyboardInterrupt):
        stream(range(60), artifact, interrupted, chunk_rows=before)
    resumed = artifact_in(tmp_path)
    stream(range(60), resumed, process, chunk_rows=after)
    assert resumed.part.read_bytes() == whole.part.read_bytes()
    resumed.finish()
    assert "chunk_rows" not in resumed.read()
