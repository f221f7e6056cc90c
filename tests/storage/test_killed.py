"""Killed at any moment, a step never leaves what is finished over other bytes than those that were asked for."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from amends.data.settings import DataSettings
from amends.errors import StoreError
from amends.pipeline.steps import Steps
from amends.storage.manifest_content import DamagedError
from amends.storage.manifests import Manifest
from amends.storage.unfinished import Part
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from forked import processes

KILLED = 9
MOMENTS = 60  # more than any step here has


class Moments:
    """Counts what changes the disk, and kills the process at one of these moments."""

    def __init__(self, kill_at: int) -> None:
        self.left = kill_at

    def before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if self.left == 0:
                os._exit(KILLED)
            self.left -= 1
            return real(*given, **named)

        return call


def until(moment: int, step: Callable[[], object]) -> None:
    """Runs a step in this process, which ends as if killed before the given change of the disk."""
    moments = Moments(moment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amends.training.fit.fit", fit)
        patch.setattr(os, "fsync", lambda _: None)  # it is counted; the device is not waited for
        for holder, name in ((os, "fsync"), (shutil, "rmtree"), (shutil, "copyfile")):
            patch.setattr(holder, name, moments.before(getattr(holder, name)))
        for name in ("replace", "rename", "unlink", "write_bytes"):
            patch.setattr(Path, name, moments.before(getattr(Path, name)))
        step()


def killed(step: Callable[[], object], moment: int) -> bool:
    """Runs a step in a process that is killed, as by SIGKILL, before the given change of the disk."""
    process = processes().Process(target=until, args=(moment, step))
    process.start()
    process.join()
    assert process.exitcode in (0, KILLED)
    return process.exitcode == KILLED


def fit(kind: str, rows: object, out: Path, recipe: Recipe, fingerprint: str, *_: object) -> dict[str, float]:
    """A training as `training.fit` leaves it: a checkpoint, and the output in its place."""
    part, rate = Part(out, fingerprint), recipe.train.learning_rate
    part.claim()
    (part.path / "checkpoint-1").mkdir(exist_ok=True)
    part.finished.mkdir(exist_ok=True)
    (part.finished / "adapter_model.safetensors").write_bytes(f"weights of {rate}".encode())
    part.put()
    return {"rate": rate}


def train(root: Path, setting: int, **steps: Any) -> Path:
    samples, out = root / "samples.jsonl", root / "sft" / "adapter"
    turns = {name: [{"role": "user", "content": name}] for name in ("prompt", "completion")}
    if not samples.exists():
        samples.write_text(json.dumps({"id": "a", "kind": "safe", **turns}) + "\n")
    recipe = Recipe("embedded", TrainSettings(learning_rate=0.1 + setting))
    facts = Steps(root=root, **steps).train("training", samples, out, "sft", recipe)
    assert facts == {"rate": 0.1 + setting}
    return out


def data(root: Path, setting: int, **steps: Any) -> Path:
    out = root / "rows.jsonl"
    Steps(root=root, **steps).data("rows", DataSettings(source="bundled:redteam/test", limit=3 + setting), out)
    return out


def note(root: Path, setting: int, **steps: Any) -> Path:
    out = root / "agreement.json"
    manifest = Manifest(out, {"judge": setting}, settings={"judge": setting})
    assert Steps(root=root, **steps).note("agreement", manifest, lambda: {"kappa": setting}) == {"kappa": setting}
    return out


STEPS = [train, data, note]


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("amends.training.fit.fit", fit)
    yield


def bytes_of(out: Path) -> bytes:
    return (out / "adapter_model.safetensors" if out.is_dir() else out).read_bytes()


def expected(step: Callable[..., Path], root: Path) -> list[bytes]:
    """What each of two settings gives."""
    found = []
    for setting in (0, 1):
        (root / str(setting)).mkdir(parents=True)
        found.append(bytes_of(step(root / str(setting), setting)))
    assert found[0] != found[1]
    return found


def check(step: Callable[..., Path], root: Path, setting: int, whole: list[bytes], moment: int) -> None:
    """One setting's own command, and the same with --overwrite where it is refused, ends with its own bytes."""
    for overwrite in (False, True):
        try:
            out = step(root, setting, overwrite=overwrite)
        except DamagedError as error:
            pytest.fail(f"moment {moment}: {error}")
        except StoreError as error:
            assert "other settings" in str(error), moment
            assert not overwrite, moment
            continue
        assert bytes_of(out) == whole[setting], moment
        beside = [one for one in out.parent.iterdir() if one.name.startswith(out.name)]
        left = sorted(one.name for one in beside if one.is_dir() or one.stat().st_size > 0)
        assert left == [out.name, f"{out.name}.manifest.json"], moment
    if step is train:
        assert f'"rate": {0.1 + setting}' in (root / "sft" / "training.json").read_text(), moment


def moments_of(attempt: Callable[[Path, int], bool], tmp_path: Path) -> int:
    """Makes an attempt at each moment, each in a directory of its own, until nothing is killed; gives the last."""
    for moment in range(MOMENTS):
        root = tmp_path / str(moment)
        root.mkdir()
        if not attempt(root, moment):
            return moment
    pytest.fail("there are more moments")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("back", [True, False])
def test_one_setting_then_another_and_back(tmp_path: Path, step: Callable[..., Path], back: bool) -> None:
    """The second is killed at each moment; then the first is asked for again, or the second goes on."""
    whole = expected(step, tmp_path / "whole")

    def attempt(root: Path, moment: int) -> bool:
        step(root, 0)
        was_killed = killed(partial(step, root, 1, overwrite=True), moment)
        check(step, root, 0 if back else 1, whole, moment)
        check(step, root, 1 if back else 0, whole, moment)
        return was_killed

    assert moments_of(attempt, tmp_path) > 5


@pytest.mark.parametrize("step", STEPS)
def test_a_copy_from_another_directory(tmp_path: Path, step: Callable[..., Path]) -> None:
    whole = expected(step, tmp_path / "whole")

    def attempt(root: Path, moment: int) -> bool:
        step(root, 0)
        was_killed = killed(partial(step, root, 1, overwrite=True, others=[tmp_path / "whole" / "1"]), moment)
        check(step, root, 0, whole, moment)
        check(step, root, 1, whole, moment)
        return was_killed

    assert moments_of(attempt, tmp_path) > 5


@pytest.mark.parametrize("step", STEPS)
def test_the_first_making(tmp_path: Path, step: Callable[..., Path]) -> None:
    whole = expected(step, tmp_path / "whole")

    def attempt(root: Path, moment: int) -> bool:
        was_killed = killed(partial(step, root, 0), moment)
        check(step, root, 0, whole, moment)
        return was_killed

    moments_of(attempt, tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_all_of_it_is_on_the_device_before_the_manifest_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Callable[..., Path]
) -> None:
    """Files, then the names of the directories that they lie in; and so of a copy."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    step(tmp_path / "a", 0)
    synced: list[Path] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    for root, others in ((tmp_path / "b", [tmp_path / "a"]), (tmp_path / "c", [])):
        root.mkdir(exist_ok=True)
        synced.clear()
        out = step(root, 0, others=others)
        where = list(synced)
        last = max(place for place, path in enumerate(where) if path.name.startswith(f".{out.name}.manifest.json"))
        before = where[:last]
        assert out.parent in before, "the name that it got"
        made = [path for path in before if ".part" in path.as_posix() and "fingerprint" not in path.name]
        assert made, "what was made, before it was put in its place"
        if out.is_dir():
            assert {"finished", "adapter_model.safetensors"} <= {path.name for path in made}
        assert out.parent in where[last:], "the manifest's own name"


@pytest.mark.parametrize("step", STEPS)
def test_what_a_killed_step_left_is_gone_once_it_is_done(tmp_path: Path, step: Callable[..., Path]) -> None:
    """Of temporary files one of a process that lives stays: it may be written just now."""
    lefts = 0
    for moment in range(MOMENTS):
        root = tmp_path / str(moment)
        root.mkdir()
        if not killed(partial(step, root, 0), moment):
            break
        lefts += len([*root.rglob(".*.tmp")])
        step(root, 0)
        left = {path.name.split(".")[1] for path in root.rglob(".*.tmp")}
        assert left <= {"timings"}, f"{moment}: {left}"  # the next step of a run writes them
    assert lefts, "no moment left one"
    living = root / f".{step(root, 0).name}.manifest.json.{os.getppid()}.tmp"
    living.touch()
    step(root, 1, overwrite=True)
    assert living.exists()
