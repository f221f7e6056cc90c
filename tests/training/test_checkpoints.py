"""Checkpoints: damaged, half written, or of another setting, none is gone on from."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from two_epochs import SAMPLES, TRAIN, Interrupt, same_weights

from amends.storage.unfinished import Part
from amends.training.checkpoints import checkpoint_path, last_checkpoint, seal_checkpoint
from amends.training.fit import fit, steps_done
from amends.training.recipe import Recipe
from amends.training.trainers.base import TRAINERS
from tiny import tiny_model


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def written(directory: Path, step: int) -> Path:
    path = checkpoint_path(directory, step)
    (path / "part").mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"state" * 1000)
    (path / "part" / "rng_state.pth").write_bytes(b"stream")
    return path


def test_the_newest_whole_checkpoint_is_the_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert last_checkpoint(tmp_path) is None
    paths = [written(tmp_path, step) for step in (2, 10, 100)]
    for step in (2, 10):
        seal_checkpoint(tmp_path, step)
    assert last_checkpoint(tmp_path) == str(paths[1]), "the device was full while the third was written"
    assert "checkpoint-100: is damaged or was not written whole; it is left out" in capsys.readouterr().err
    state = paths[1] / "optimizer.pt"
    times, content = state.stat(), state.read_bytes()
    state.write_bytes(b"S" + content[1:])
    os.utime(state, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert last_checkpoint(tmp_path) == str(paths[0])
    assert capsys.readouterr().err.count("\n") == 1
    (paths[0] / "part" / "rng_state.pth").unlink()
    assert last_checkpoint(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path, dict[str, Any]]:
    """A recipe, what it trained without an interruption, and the facts about that."""
    directory = tmp_path_factory.mktemp("whole")
    recipe = Recipe(str(tiny_model(directory / "tiny")), TRAIN)
    return recipe, directory / "adapter", fit("sft", SAMPLES, directory / "adapter", recipe, "f")


def test_a_training_whose_last_checkpoint_is_damaged_ends_with_the_same_bytes(whole: Any, tmp_path: Path) -> None:
    (recipe, adapter, facts), broken = whole, tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, broken, recipe, "f", Interrupt(5))
    part = Part(broken, "f")
    assert steps_done(part, TRAINERS["sft"]) == 4
    damaged = checkpoint_path(part.path, 4) / "adapter_model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-100] + b"\0" * 100)
    told = Interrupt(9)
    assert fit("sft", SAMPLES, broken, recipe, "f", told) == facts
    assert told.done == 6
    assert same_weights(broken, adapter)


def test_a_training_that_was_killed_behind_its_last_checkpoint_takes_no_step_more(
    whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an epoch transformers would: it looks at the number of steps behind each alone. Found by killing runs."""
    recipe = replace(whole[0], train=TRAIN.model_copy(update={"max_steps": 2}))
    facts = fit("sft", SAMPLES, tmp_path / "whole", recipe, "f")
    assert (facts["steps"], len(facts["log"])) == (2, 2)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("amends.training.fit._write_output", killed)
        fit("sft", SAMPLES, tmp_path / "killed", recipe, "f")
    assert checkpoint_path(Part(tmp_path / "killed", "f").path, 2).exists()
    assert fit("sft", SAMPLES, tmp_path / "killed", recipe, "f") == facts
    assert same_weights(tmp_path / "killed", tmp_path / "whole")


def test_a_checkpoint_of_another_setting_is_not_gone_on_from(whole: Any, tmp_path: Path) -> None:
    (recipe, adapter, facts), broken = whole, tmp_path / "broken"
    faster = replace(recipe, train=TRAIN.model_copy(update={"learning_rate": 0.02}))
    with pytest.raises(KeyboardInterrupt):
        fit("sft", SAMPLES, broken, faster, "g", Interrupt(5))
    assert steps_done(Part(broken, "g"), TRAINERS["sft"]) == 4
    assert steps_done(Part(broken, "f"), TRAINERS["sft"]) == 0
    assert fit("sft", SAMPLES, broken, recipe, "f") == facts
    assert same_weights(broken, adapter)
