"""What a step replaces, and what it refuses: another setting's rows, and files that are not its own."""

from pathlib import Path

import pytest
from chunks import CHUNK_ROWS, PARTS, finished, write_all

from amends.errors import StoreError
from amends.storage.artifacts import Artifact
from amends.storage.locks import locked


def test_changed_inputs_replace_an_own_file_only_when_finished(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    finished(path)
    before = path.read_bytes()
    changed = Artifact(path, {**PARTS, "inputs": "changed"})
    write_all(changed, stop_before=2)
    assert not path.exists(), "nothing lies there that is not what was asked for last"
    assert changed.backup.read_bytes() == before, "the earlier file stays until the new one is whole"
    write_all(Artifact(path, {**PARTS, "inputs": "changed again"}))
    assert changed.read()["state"] == "finished"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["rows.jsonl", "rows.jsonl.manifest.json"]


def test_another_setting_that_was_only_tried_leaves_a_finished_file_finished(tmp_path: Path) -> None:
    artifact = finished(tmp_path / "rows.jsonl")
    manifest = artifact.read()
    for inputs in ("changed", "changed again"):
        write_all(Artifact(artifact.path, {**PARTS, "inputs": inputs}), stop_before=0)
    assert not Artifact(artifact.path, {**PARTS, "inputs": "changed"}).is_finished()
    with locked(tmp_path / ".rows.jsonl.lock", artifact.path), pytest.raises(StoreError, match="held by process"):
        artifact.is_finished()
    assert artifact.part.exists(), "somebody may be writing it"
    assert artifact.is_finished()
    assert artifact.read() == manifest
    assert sorted(one.name for one in tmp_path.iterdir()) == ["rows.jsonl", "rows.jsonl.manifest.json"]


def test_rows_of_another_setting_are_given_up_only_when_that_is_said(tmp_path: Path) -> None:
    artifact = finished(tmp_path / "rows.jsonl")
    other = Artifact(artifact.path, {**PARTS, "inputs": "changed"}, settings={"inputs": "b"})
    write_all(other, stop_before=1)
    again = Artifact(artifact.path, PARTS, settings={"inputs": "a"})
    assert not again.is_finished()
    assert again.changes() == (["inputs b -> a"], [])
    assert other.kept_rows() == CHUNK_ROWS
    again.overwrite = True
    assert again.is_finished(), "what was finished before is not made again"


def test_what_was_replaced_is_finished_no_more(tmp_path: Path) -> None:
    artifact = finished(tmp_path / "rows.jsonl")
    changed = Artifact(artifact.path, {**PARTS, "inputs": "changed"})
    write_all(changed)
    assert not artifact.is_finished()
    assert "earlier" not in changed.read()


def test_foreign_file_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("years of work\n")
    with pytest.raises(StoreError, match=r"rows\.jsonl: exists and was not written by amends.*move it away"):
        Artifact(path, PARTS).begin(CHUNK_ROWS)
    assert [found.name for found in tmp_path.iterdir()] == ["rows.jsonl"]
    assert path.read_text() == "years of work\n"


def test_foreign_part_is_refused_and_stays(tmp_path: Path) -> None:
    part = tmp_path / "rows.jsonl.part"
    part.write_text("mine")
    with pytest.raises(StoreError, match=r"rows\.jsonl\.part: exists and was not written by amends"):
        Artifact(tmp_path / "rows.jsonl", {}).begin(1)
    assert part.read_text() == "mine"


def test_file_changed_by_hand_is_refused_and_stays(tmp_path: Path) -> None:
    artifact = finished(tmp_path / "rows.jsonl")
    artifact.path.write_text("corrected by hand\n")
    for parts in (PARTS, {**PARTS, "inputs": "changed"}):
        with pytest.raises(StoreError, match="was changed after amends wrote it"):
            Artifact(artifact.path, parts).begin(CHUNK_ROWS)
    assert artifact.path.read_text() == "corrected by hand\n"


@pytest.mark.parametrize("stop_before", [None, 2])
def test_what_another_stage_wrote_is_refused_and_stays(tmp_path: Path, stop_before: int | None) -> None:
    responses = Artifact(tmp_path / "rows.jsonl", PARTS, "responses")
    write_all(responses, stop_before)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match=r"rows\.jsonl: holds responses, which verdicts would replace; choose another"):
        Artifact(responses.path, PARTS, "verdicts").begin(CHUNK_ROWS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
