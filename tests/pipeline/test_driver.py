"""The driver: what it appends, what it reports, and resuming to the same bytes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.pipeline.driver import fill
from amends.progress import observed, report
from amends.records import Verdict
from amends.stages.chunks import Work
from scripted_judge import HERE, artifact_in, written


def process(chunk: Sequence[int], number: int, task: object) -> list[Verdict]:
    """A record depends on its row and on the number of its chunk, as seeds do. Half the rows are reported early."""
    report(rows=len(chunk) // 2, tokens=2 * len(chunk))
    return [Verdict(id=f"{row}-{number}", verdict="harmless") for row in chunk]


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_what_was_interrupted_ends_with_the_same_bytes(tmp_path: Path, chunks: int) -> None:
    whole = artifact_in(tmp_path, "whole.jsonl")
    fill(whole, range(35), Work(process, None, 10), HERE)

    def interrupted(chunk: Sequence[int], number: int, task: object) -> list[Verdict]:
        if number == chunks:
            raise KeyboardInterrupt
        return process(chunk, number, task)

    artifact = artifact_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fill(artifact, range(35), Work(interrupted, None, 10), HERE)
    assert len(written(artifact, Verdict)) == 10 * chunks, "each chunk is there as soon as it is done"
    told: list[tuple[int, int]] = []
    worked: list[int] = []

    def resumed(chunk: Sequence[int], number: int, task: object) -> list[Verdict]:
        worked.append(number)
        return process(chunk, number, task)

    with observed(lambda rows, tokens: told.append((rows, tokens))):
        fill(artifact, range(35), Work(resumed, None, 10), HERE)
    assert artifact.part.read_bytes() == whole.part.read_bytes()
    assert worked == list(range(chunks, 4)), "what is there is not made again"
    assert sum(rows for rows, _ in told) == 35, "kept rows count as done"
    assert sum(tokens for _, tokens in told) == 2 * (35 - 10 * chunks), "but nothing was generated for them"


@pytest.mark.parametrize(("before", "after"), [(10, 25), (25, 10)])
def test_a_stage_that_goes_on_at_another_device_keeps_its_chunks(tmp_path: Path, before: int, after: int) -> None:
    """Its rows are those of one that was never interrupted, however many rows the other device takes at once."""
    whole = artifact_in(tmp_path, "whole.jsonl")
    fill(whole, range(60), Work(process, None, before), HERE)
    artifact = artifact_in(tmp_path)

    def interrupted(chunk: Sequence[int], number: int, task: object) -> list[Verdict]:
        if number == 1:
            raise KeyboardInterrupt
        return process(chunk, number, task)

    with pytest.raises(KeyboardInterrupt):
        fill(artifact, range(60), Work(interrupted, None, before), HERE)
    resumed = artifact_in(tmp_path)
    fill(resumed, range(60), Work(process, None, after), HERE)
    assert resumed.part.read_bytes() == whole.part.read_bytes()
    resumed.finish()
    assert "chunk_rows" not in resumed.read()
