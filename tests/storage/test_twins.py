"""What another run has finished from the same is taken over, whole, and from nobody whose bytes differ."""

from pathlib import Path
from typing import Any

import pytest
from chunks import PARTS, finished, write_all

from amends.errors import StoreError
from amends.storage import manifest_content, manifests
from amends.storage.artifacts import Artifact
from amends.storage.files import directory_fingerprint, read_json, write_json
from amends.storage.manifests import Manifest


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
