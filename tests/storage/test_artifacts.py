"""Artefacts that are whole or absent: killed writers, foreign files, full devices."""

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from amends.errors import StoreError
from amends.records import Verdict
from amends.storage import manifest_content, manifests
from amends.storage.artifacts import Artifact
from amends.storage.files import directory_fingerprint, fingerprint, read_json, write_json
from amends.storage.locks import locked
from amends.storage.manifest_content import DamagedError
from amends.storage.manifests import Manifest
from conftest import refuse_to_sync

CHUNK_ROWS = 3
PARTS = {"settings": {"seed": 0}, "inputs": "abc"}


def rows(chunk: int, count: int = CHUNK_ROWS) -> list[Verdict]:
    """One chunk; ids beyond ASCII, so that a cut can fall inside a character."""
    return [Verdict(id=f"é{chunk}-{number}", verdict="harmful", score=number / 7) for number in range(count)]


CHUNKS = [rows(0), rows(1), rows(2), rows(3, count=2)]


def write_all(artifact: Artifact, stop_before: int | None = None) -> None:
    kept = artifact.begin(CHUNK_ROWS)
    for number, chunk in enumerate(CHUNKS):
        if number == stop_before:
            return
        if number >= kept:
            artifact.append(chunk)
    artifact.finish(rows=11)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "rows.jsonl"
    write_all(Artifact(path, PARTS))
    return path.read_bytes()


def finished(path: Path) -> Artifact:
    artifact = Artifact(path, PARTS)
    write_all(artifact)
    assert artifact.is_finished()
    return artifact


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


def test_not_finished_when_a_part_changed(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    finished(path)
    changed = Artifact(path, {"settings": {"seed": 1}, "inputs": "abc"})
    assert not changed.is_finished()
    assert changed.changes() == ([], ["settings"])


@pytest.mark.parametrize("parts", [PARTS, {**PARTS, "inputs": "changed"}])
def test_other_bytes_are_said_and_a_file_that_is_gone_is_not_finished(tmp_path: Path, parts: dict[str, Any]) -> None:
    """Of the same size, too; and whatever the next writer makes it from."""
    artifact = finished(tmp_path / "rows.jsonl")
    whole = artifact.path.read_bytes()
    for damaged in (whole + b"{}\n", whole[:-2] + b"X\n", b"\0" * len(whole), b""):
        artifact.path.write_bytes(damaged)
        with pytest.raises(
            DamagedError, match=r"rows\.jsonl: was damaged, or edited, .*Delete .*rows\.jsonl to make it"
        ):
            Artifact(artifact.path, parts).is_finished()
        assert artifact.path.read_bytes() == damaged
    artifact.path.unlink()
    assert not artifact.is_finished()


def test_a_manifest_that_cannot_be_believed_is_said(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    artifact = Artifact(path, PARTS)
    assert not artifact.is_finished()
    artifact.begin(CHUNK_ROWS)
    assert not artifact.is_finished()
    whole = finished(path).manifest_path.read_bytes()
    deep, long = b'{"state": ' + b"[" * 100_000, b'{"state": "finished", "chunk_rows": ' + b"1" * 5_000 + b"}"
    wrong = [
        b'{"state": "finished", "%s": 3}' % name for name in (b"parts", b"earlier", b"coming", b"facts", b"sha256")
    ]
    nested = b'{"state": "running", "earlier": {"parts": [1]}}'
    digit = whole.replace(b'"rows": 11', b'"rows": 12')
    assert digit != whole
    for damaged in (
        b"",
        b'{"state": "fini',
        b"[]",
        b"{}",
        b"\xff",
        deep,
        long,
        nested,
        *wrong,
        digit,
        b"\0" * len(whole),
    ):
        artifact.manifest_path.write_bytes(damaged)
        with pytest.raises(DamagedError, match=r"rows\.jsonl\.manifest\.json: is damaged. Delete it and rows\.jsonl"):
            artifact.is_finished()


def test_any_byte_of_a_manifest_counts(tmp_path: Path) -> None:
    """Also one of a name in it, by which it could pass for a manifest of an earlier release."""
    artifact = finished(tmp_path / "rows.jsonl")
    whole = artifact.manifest_path.read_bytes()
    for place in range(0, len(whole) - 1):
        if not whole[place : place + 1].isalnum():
            continue
        artifact.manifest_path.write_bytes(whole[:place] + b"Q" + whole[place + 1 :])
        with pytest.raises(DamagedError):
            artifact.is_finished()


def test_a_release_alone_makes_nothing_anew(tmp_path: Path) -> None:
    """Manifests of before hold the version as one of the parts, and neither settings nor a digest of their own."""
    artifact = finished(tmp_path / "rows.jsonl")
    before = {name: value for name, value in artifact.read().items() if name != "settings"}
    parts = before["parts"] | {"amends": fingerprint(part="0.1.0")}
    write_json(artifact.manifest_path, before | {"parts": parts, "fingerprint": fingerprint(parts=parts)})
    assert Artifact(artifact.path, PARTS).is_finished()
    other = Artifact(artifact.path, {"settings": {"seed": 1}, "inputs": "other"}, settings={"settings": {"seed": 1}})
    assert other.changes() == (["settings"], ["inputs"]), "it does not say which ones"


def test_what_differs_is_said_with_old_and_new(tmp_path: Path) -> None:
    made = {"settings": {"seed": 0, "rate": {"low": 0.5}}, "code": 1, "inputs": "abc", "model": "hash"}
    said = {"settings": made["settings"], "inputs": {"rows": "a.jsonl"}, "model": "m"}
    write_all(Artifact(tmp_path / "rows.jsonl", made, settings=said))
    other = {"settings": {"seed": 0, "rate": {"low": 0.25}}, "code": 2, "inputs": "abd", "model": "another"}
    again = Artifact(tmp_path / "rows.jsonl", other, settings=said | {"settings": other["settings"]})
    assert again.changes() == (["low 0.5 -> 0.25"], ["code", "inputs", "model"]), "as named they are what they were"
    moved = Artifact(tmp_path / "rows.jsonl", other, settings=said | {"inputs": {"rows": "b.jsonl"}, "model": None})
    assert moved.changes()[0] == ["rows a.jsonl -> b.jsonl", "model m -> none"]


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


def test_a_manifest_of_before_says_no_kind_and_stays_valid(tmp_path: Path) -> None:
    before = finished(tmp_path / "rows.jsonl")
    assert "kind" not in before.read()
    assert Artifact(before.path, PARTS, "responses").is_finished()
    write_all(Artifact(before.path, {**PARTS, "inputs": "changed"}, "responses"))


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


def test_manifest_of_a_directory(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "adapter", PARTS)
    manifest.write("finished", steps=3)
    assert not manifest.is_finished(), "the manifest alone is not the directory"
    manifest.path.mkdir()
    assert manifest.is_finished()
    assert manifest.read()["steps"] == 3
    assert not Manifest(tmp_path / "adapter", {**PARTS, "inputs": "x"}).is_finished()


def test_a_finished_twin_is_taken_and_nothing_else_is(tmp_path: Path) -> None:
    twin = Artifact(tmp_path / "a/rows.jsonl", PARTS)
    write_all(twin, stop_before=2)
    ours = Artifact(tmp_path / "b/rows.jsonl", PARTS)
    assert not ours.take(twin.path), "not finished"
    write_all(twin)
    assert not Artifact(ours.path, PARTS | {"inputs": "abd"}).take(twin.path), "made from something else"
    assert not ours.path.exists()
    assert ours.take(twin.path)
    assert ours.is_finished()
    assert (ours.path.read_bytes(), ours.read()) == (twin.path.read_bytes(), twin.read())


def test_a_twin_takes_the_place_of_what_is_ours_and_of_nothing_else(tmp_path: Path) -> None:
    twin = finished(tmp_path / "a/rows.jsonl")
    stale = Artifact(tmp_path / "b/rows.jsonl", PARTS | {"inputs": "before"})
    write_all(stale)
    assert Artifact(stale.path, PARTS).take(twin.path)
    assert Artifact(stale.path, PARTS).is_finished()
    foreign = tmp_path / "c/rows.jsonl"
    foreign.parent.mkdir()
    foreign.write_text("somebody's")
    with pytest.raises(StoreError, match="was not written by amends"):
        Artifact(foreign, PARTS).take(twin.path)
    assert foreign.read_text() == "somebody's"


@pytest.mark.parametrize("call", ["copyfile", "write_json"])
def test_an_interrupted_copy_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    twin = finished(tmp_path / "a/rows.jsonl")
    ours = Artifact(tmp_path / "b/rows.jsonl", PARTS)

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(manifests.shutil if call == "copyfile" else manifest_content, call, interrupt)
        with pytest.raises(KeyboardInterrupt):
            ours.take(twin.path)
    assert not ours.is_finished()
    assert ours.take(twin.path)
    assert ours.path.read_bytes() == twin.path.read_bytes()


def test_a_finished_directory_is_taken_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/weights").write_text("w")
    twin = Manifest(tmp_path / "a", PARTS)
    twin.write("finished", facts={"steps": 3})
    ours = Manifest(tmp_path / "b/a", PARTS)
    for _ in ("nothing there", "an older one there"):
        assert ours.take(twin.path)
        assert [path.name for path in ours.path.iterdir()] == ["weights"]
        assert ours.read()["facts"] == {"steps": 3}
        (ours.path / "older").touch()
    assert sorted(path.name for path in ours.path.parent.iterdir()) == ["a", "a.manifest.json"]
    (tmp_path / "c/a").mkdir(parents=True)
    assert not Manifest(tmp_path / "c/a", PARTS).take(twin.path), "somebody else's"


def test_a_file_with_a_plain_manifest_is_taken_too(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"kappa": 0.5})
    twin = Manifest(tmp_path / "a.json", PARTS)
    twin.write("finished")
    ours = Manifest(tmp_path / "b/a.json", PARTS)
    for _ in ("nothing there", "an older one there"):
        assert ours.take(twin.path)
        assert ours.is_finished()
        assert read_json(ours.path) == {"kappa": 0.5}
        ours.path.write_text("{}")
        Manifest(ours.path, {"inputs": "older"}).write("finished", **manifest_content.contents(ours.path))
    ours.take(twin.path)
    assert sorted(path.name for path in ours.path.parent.iterdir()) == ["a.json", "a.json.manifest.json"]


def test_a_directory_that_was_changed_by_hand_is_not_taken_over(tmp_path: Path) -> None:
    """As an adapter whose weights somebody replaced; nor one that another stage wrote."""
    for name in ("a", "b"):
        (tmp_path / name / "adapter").mkdir(parents=True)
        (tmp_path / name / "adapter/config.json").write_text("{}")
        before = Manifest(tmp_path / name / "adapter", PARTS | {"inputs": name}, "a training")
        before.write("finished", contents=directory_fingerprint(before.path))
    ours, twin = Manifest(tmp_path / "b/adapter", PARTS | {"inputs": "a"}, "a training"), tmp_path / "a/adapter"
    (ours.path / "config.json").write_text('{"mine": 1}')
    with pytest.raises(StoreError, match="was changed after amends wrote it"):
        ours.take(twin)
    assert (ours.path / "config.json").read_text() == '{"mine": 1}'
    Manifest(ours.path, PARTS, "samples").write("finished")
    with pytest.raises(StoreError, match="holds samples, which a training would replace"):
        ours.take(twin)


def test_a_twin_does_not_cost_somebodys_part(tmp_path: Path) -> None:
    twin, ours = finished(tmp_path / "a/rows.jsonl"), Artifact(tmp_path / "b/rows.jsonl", PARTS)
    ours.part.parent.mkdir()
    ours.part.write_text("somebody's")
    with pytest.raises(StoreError, match="was not written by amends"):
        ours.take(twin.path)
    assert ours.part.read_text() == "somebody's"
