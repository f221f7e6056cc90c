"""Artefacts that are whole or absent: killed writers, full devices."""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from chunks import CHUNK_ROWS, CHUNKS, PARTS, finished, write_all

from amends.errors import StoreError
from amends.storage.artifacts import Artifact
from conftest import refuse_to_sync


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "rows.jsonl"
    write_all(Artifact(path, PARTS))
    return path.read_bytes()


def test_finished_file_has_all_rows_a_manifest_and_no_part(tmp_path: Path) -> None:
    artifact = finished(tmp_path / "rows.jsonl")
    assert [json.loads(line)["id"] for line in artifact.path.read_text().splitlines()] == [
        row.id for chunk in CHUNKS for row in chunk
    ]
    content = artifact.read()
    assert (content["state"], content["rows"]) == ("finished", 11)
    assert content["sha256"] == hashlib.sha256(artifact.path.read_bytes()).hexdigest()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "rows.jsonl.manifest.json"]


def places_to_cut(whole: bytes) -> list[int]:
    """Nothing, the first byte, both sides of every line end, inside a character, everything, and some at random."""
    ends = [place for place, byte in enumerate(whole) if byte == ord("\n")]
    inside_character = whole.index("é".encode()) + 1
    near_ends = [end + offset for end in ends for offset in (-1, 0, 1)]
    chance = random.Random(0).sample(range(len(whole)), 25)
    return sorted({0, 1, inside_character, len(whole), *near_ends, *chance})


def test_writer_killed_after_any_byte_is_resumed_to_the_same_bytes(tmp_path: Path, uninterrupted: bytes) -> None:
    ends_of_chunks = [0]
    for chunk in CHUNKS[:3]:
        ends_of_chunks.append(ends_of_chunks[-1] + sum(len(row.model_dump_json().encode()) + 1 for row in chunk))
    for place in places_to_cut(uninterrupted):
        path = tmp_path / str(place) / "rows.jsonl"
        artifact = Artifact(path, PARTS)
        artifact.begin(CHUNK_ROWS)
        artifact.part.write_bytes(uninterrupted[:place])
        resumed = Artifact(path, PARTS)
        expected = sum(end <= place for end in ends_of_chunks[1:])
        assert resumed.begin(CHUNK_ROWS) == expected, place
        assert resumed.part.read_bytes() == uninterrupted[: ends_of_chunks[expected]], place
        assert not path.exists(), "an unfinished file is not in its place"
        write_all(resumed)
        assert path.read_bytes() == uninterrupted, place


def test_last_line_without_its_end_does_not_count(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "rows.jsonl", PARTS)
    artifact.begin(CHUNK_ROWS)
    artifact.append(CHUNKS[0])
    with artifact.part.open("r+b") as stream:
        stream.truncate(artifact.part.stat().st_size - 1)
    assert Artifact(artifact.path, PARTS).begin(CHUNK_ROWS) == 0
    assert artifact.part.read_bytes() == b""


def test_part_of_other_inputs_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_all(Artifact(path, PARTS), stop_before=2)
    other = Artifact(path, {**PARTS, "inputs": "changed"})
    assert other.begin(CHUNK_ROWS) == 0
    assert other.part.read_bytes() == b""


def test_writer_killed_between_renaming_and_manifest_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: bytes
) -> None:
    path = tmp_path / "rows.jsonl"
    artifact = Artifact(path, PARTS)
    write = artifact.write

    def killed(state: str, **facts: Any) -> None:
        if state == "finished":
            raise KeyboardInterrupt
        write(state, **facts)

    monkeypatch.setattr(artifact, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        write_all(artifact)
    assert path.exists()
    assert artifact.read()["state"] == "running"

    again = Artifact(path, PARTS)
    assert again.is_finished()
    assert (again.read()["rows"], again.read()["state"]) == (11, "finished")
    assert path.read_bytes() == uninterrupted


def test_writer_killed_after_renaming_does_not_make_the_file_foreign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    artifact = Artifact(path, PARTS)
    write = artifact.write
    monkeypatch.setattr(
        artifact, "write", lambda state, **facts: None if state == "finished" else write(state, **facts)
    )
    write_all(artifact)
    changed = Artifact(path, {**PARTS, "inputs": "changed"})
    assert not changed.is_finished()
    assert changed.begin(CHUNK_ROWS) == 0


def test_nothing_is_left_of_a_step_that_wrote_no_row(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path / "rows.jsonl", PARTS)
    artifact.begin(CHUNK_ROWS)
    artifact.withdraw()
    assert list(tmp_path.iterdir()) == []
    write_all(artifact, stop_before=1)
    artifact.withdraw()
    assert artifact.part.stat().st_size > 0, "rows that are there are kept for resuming"
    write_all(artifact)
    whole, changed = artifact.path.read_bytes(), Artifact(artifact.path, {**PARTS, "inputs": "changed"})
    changed.begin(CHUNK_ROWS)
    changed.withdraw()
    assert artifact.path.read_bytes() == whole
    assert artifact.is_finished()


def test_full_device_while_appending(tmp_path: Path) -> None:
    """A real full device: the part is a link to /dev/full."""
    artifact = finished(tmp_path / "rows.jsonl")
    before = artifact.path.read_bytes()
    changed = Artifact(artifact.path, {**PARTS, "inputs": "changed"})
    changed.begin(CHUNK_ROWS)
    changed.part.unlink()
    changed.part.symlink_to("/dev/full")
    with pytest.raises(StoreError, match=r"rows\.jsonl: no space left on the device.*run the same command again"):
        changed.append(CHUNKS[0])
    assert artifact.backup.read_bytes() == before


def test_full_device_is_resumed_once_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: bytes
) -> None:
    path = tmp_path / "rows.jsonl"
    artifact = Artifact(path, PARTS)
    write_all(artifact, stop_before=2)
    with monkeypatch.context() as full, pytest.raises(StoreError, match="no space left"):
        full.setattr(os, "fsync", refuse_to_sync)
        artifact.append(CHUNKS[2])
    assert not path.exists()
    write_all(Artifact(path, PARTS))
    assert path.read_bytes() == uninterrupted
