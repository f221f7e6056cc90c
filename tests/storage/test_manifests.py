"""Manifests: what they vouch for, what makes them worth nothing, and what they say of it."""

from pathlib import Path
from typing import Any

import pytest
from chunks import CHUNK_ROWS, PARTS, finished, write_all

from amends.storage.artifacts import Artifact
from amends.storage.files import fingerprint, write_json
from amends.storage.manifest_content import DamagedError
from amends.storage.manifests import Manifest


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


def test_a_manifest_of_before_says_no_kind_and_stays_valid(tmp_path: Path) -> None:
    before = finished(tmp_path / "rows.jsonl")
    assert "kind" not in before.read()
    assert Artifact(before.path, PARTS, "responses").is_finished()
    write_all(Artifact(before.path, {**PARTS, "inputs": "changed"}, "responses"))


def test_manifest_of_a_directory(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "adapter", PARTS)
    manifest.write("finished", steps=3)
    assert not manifest.is_finished(), "the manifest alone is not the directory"
    manifest.path.mkdir()
    assert manifest.is_finished()
    assert manifest.read()["steps"] == 3
    assert not Manifest(tmp_path / "adapter", {**PARTS, "inputs": "x"}).is_finished()
