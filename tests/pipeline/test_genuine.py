"""A measurement is of what it is said to be: each way in which it could be another's stops the run or is said."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from amends.errors import MeasurementError
from amends.evaluation.respond import RespondTask, answering_guide
from amends.evaluation.results import Results
from amends.models import hf as local
from amends.models.base import SHORT, Sampling
from amends.models.hf import LocalModel
from amends.models.loading import load_model
from amends.models.source import find_model
from amends.models.weights import weights_digest
from amends.pipeline import genuine
from amends.pipeline import run as pipeline
from amends.pipeline.systems import Systems
from amends.prompts import UNGUIDED
from amends.reporting.tables import markdown
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory
from amends.training.recipe import Recipe
from conftest import run_amends
from tiny import tiny_adapter, tiny_model
from tiny_run import JUDGES
from tiny_tokenizer import tiny_tokenizer

COLOURS = ["red", "green", "blue", "yellow", "black"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny", tokenizer=tiny_tokenizer())


@pytest.fixture(scope="module")
def config(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two systems with a model whose answers are noise and judges that load none, so that a run takes seconds."""
    directory = tmp_path_factory.mktemp("config")
    train = [{"id": f"t{one}", "prompt": f"Say {one}.", "chosen": f"{one}, gladly."} for one in COLOURS]
    test = [{"id": f"e{one}", "prompt": f"Is {one} a colour?", "chosen": "Yes."} for one in COLOURS[:3]]
    for name, rows in (("train", train), ("test", test)):
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    content = {
        "model": str(model),
        "instructions": {"source": str(directory / "train.jsonl")},
        "suites": {
            "redteam": {"source": str(directory / "test.jsonl"), "kind": "red-team"},
            "benign": {"source": str(directory / "test.jsonl"), "kind": "benign"},
        },
        "methods": ["vanilla", "sft"],
        "trust_chosen": True,
        "train": {"max_steps": 2, "batch_size": 2, "rank": 4, "learning_rate": 5e-3},
        "respond": {"max_new_tokens": 8},
        **JUDGES,
    }
    path = directory / "tiny.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "seeds"
    assert run_amends("run", str(config), "seeds=[1,2]", "--out", str(out)) == 0
    return out


def unmeasured(run: Path, copy: Path) -> Path:
    """A copy of a finished run in which all is made and trained, and nothing measured. Returns its directory."""
    shutil.copytree(run, copy)
    for path in [*copy.glob("*/*guided.*"), *copy.glob("results.json*"), *copy.glob("report.html*")]:
        path.unlink()
    return copy


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that lacks its measurements."""
    directory = tmp_path_factory.mktemp("trained")
    assert run_amends("run", str(config), "--out", str(directory / "whole")) == 0
    return unmeasured(directory / "whole", directory / "run")


def test_the_real_thing_is_not_stopped_and_has_no_notes(finished: Path) -> None:
    results = read_as(Results, finished / "results.json")
    assert results.notes == []
    one, two = (RunDirectory(finished / f"seed-{seed}") for seed in (1, 2))
    adapters = [files.trained("sft", False) / "adapter_model.safetensors" for files in (one, two)]
    assert adapters[0].read_bytes() != adapters[1].read_bytes(), "the training heeds its seed"
    for method in ("vanilla", "sft"):
        drawn = [files.measured(method, "unguided", "redteam", "responses").read_bytes() for files in (one, two)]
        assert drawn[0] != drawn[1], "answers heed theirs"
    measured = {
        (method, inference, what): one.measured(method, inference, suite, what).read_bytes()
        for method in ("vanilla", "sft")
        for inference in ("guided", "unguided")
        for suite, what in (("redteam", "responses"), ("benign", "losses"))
    }
    assert len(set(measured.values())) == len(measured), "each system answers for itself"


def no_adapter_where_it_is_loaded(patch: pytest.MonkeyPatch) -> None:
    real = local.load_model
    patch.setattr(local, "load_model", lambda source, device, adapter: real(source, device))


def no_adapter_where_systems_are_made(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Systems, "system", lambda self, method: LocalModel(self.plan.configuration.model))


def the_untouched_system_for_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Systems, "system", lambda self, method: self.plan.base)


def not_merged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("amends.models.loading.merged", lambda model, source, adapter: model)


def always_guided(patch: pytest.MonkeyPatch) -> None:
    real = answering_guide
    patch.setattr(pipeline, "answering_guide", lambda settings, guided, *more: real(settings, True, *more))


def never_guided(patch: pytest.MonkeyPatch) -> None:
    real = answering_guide
    patch.setattr(pipeline, "answering_guide", lambda settings, guided, *more: real(settings, False, *more))


def the_stage_asks_unguided(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("amends.pipeline.steps.RespondTask", lambda model, _, *rest: RespondTask(model, UNGUIDED, *rest))


def the_template_drops_the_guide(patch: pytest.MonkeyPatch) -> None:
    real = LocalModel.render
    patch.setattr(LocalModel, "render", lambda self, prompt: real(self, SHORT))


OTHER_WEIGHTS = "what was trained answers with the weights that its training began from"
OTHER_PROMPTS = "guided and unguided inference ask the same prompt, token for token"
MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    no_adapter_where_it_is_loaded: OTHER_WEIGHTS,
    no_adapter_where_systems_are_made: OTHER_WEIGHTS,
    the_untouched_system_for_all: OTHER_WEIGHTS,
    not_merged: OTHER_WEIGHTS,
    always_guided: OTHER_PROMPTS,
    never_guided: OTHER_PROMPTS,
    the_stage_asks_unguided: OTHER_PROMPTS,
    the_template_drops_the_guide: OTHER_PROMPTS,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_a_measurement_of_something_else_stops_the_run(
    mutant: Callable[[pytest.MonkeyPatch], None],
    config: Path,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    mutant(monkeypatch)
    for _ in range(2):  # nor does the next run take for finished what was asked before
        assert run_amends("run", str(config), "--out", str(tmp_path / "run")) == 1
        said = capsys.readouterr().err
        assert MUTANTS[mutant] in said
        assert "Traceback" not in said
        assert not (tmp_path / "run/results.json").exists()


def test_full_training_that_is_measured_untouched_stops_the_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = ["train.adapter=full", "train.learning_rate=1e-3"]
    assert run_amends("run", str(config), *whole, "--out", str(tmp_path / "real")) == 0
    out = unmeasured(tmp_path / "real", tmp_path / "mutant")
    no_adapter_where_systems_are_made(monkeypatch)
    assert run_amends("run", str(config), *whole, "--out", str(out)) == 1
    assert OTHER_WEIGHTS in capsys.readouterr().err


def test_a_training_seed_that_is_ignored_stops_the_run(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Recipe.__init__

    def one_seed(self: Recipe, *given: Any, **named: Any) -> None:
        real(self, *given, **named | {"seed": 7})

    monkeypatch.setattr(Recipe, "__init__", one_seed)
    for _ in range(2):
        assert run_amends("run", str(config), "seeds=[1,2]", "--out", str(tmp_path / "run")) == 1
        assert "sft/adapter: seed 2 trained the very weights of seed 1, so that" in capsys.readouterr().err
        assert not (tmp_path / "run/results.json").exists()


def test_answers_that_heed_no_seed_are_said_first(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = LocalModel.generate
    monkeypatch.setattr(LocalModel, "generate", lambda self, asked, how, seed, *rest: real(self, asked, how, 0, *rest))
    out = tmp_path / "run"
    assert run_amends("run", str(config), "seeds=[1,2]", "methods=[vanilla]", "--out", str(out)) == 0
    said = "On redteam vanilla/unguided gave the same answers in seed-1 and seed-2, although it draws them"
    assert f"Note: {said}" in " ".join(capsys.readouterr().out.split())[:1000]
    results = read_as(Results, out / "results.json")
    assert any(note.startswith(said) for note in results.notes)
    assert list(json.loads((out / "results.json").read_text()))[:2] == ["format_version", "notes"]
    page = (out / "report.html").read_text()
    assert 0 < page.index(said) < page.index("<h2")
    assert markdown(results, {}).startswith("**Note.** On redteam vanilla/")


def test_equal_answers_of_guided_and_unguided_and_of_trained_and_untouched_are_said_first(
    config: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path / "run")
    real = LocalModel.generate

    def nothing(self: LocalModel, prompts: Any, *rest: Any) -> Any:
        return [made.__class__("Yes.", True, 1) for made in real(self, prompts, *rest)]

    monkeypatch.setattr(LocalModel, "generate", nothing)
    assert run_amends("run", str(config), "--out", str(tmp_path / "run")) == 0
    pairs = [
        *(("vanilla/guided", "vanilla/unguided"), ("sft/guided", "sft/unguided")),
        *((f"sft/{one}", f"vanilla/{one}") for one in ("unguided", "guided")),
    ]
    notes = read_as(Results, tmp_path / "run/results.json").notes
    assert len(notes) == len(pairs)
    for a, b in pairs:
        assert any(f"On redteam {a} and {b} gave the same answer to every prompt" in note for note in notes), (a, b)


def test_a_system_refuses_its_own_weights_and_prompts_alone(model: Path, tmp_path: Path) -> None:
    untouched = weights_digest(load_model(find_model(str(model))))
    trained = LocalModel(str(model), tiny_adapter(tmp_path / "a", model))
    trained.refuse([untouched], [SHORT])
    assert trained.model is not None, "it is merged, and another's now"
    with pytest.raises(MeasurementError, match="ask the same prompt"):
        trained.generate([SHORT], Sampling(2, 0), 0)
    with pytest.raises(MeasurementError, match="ask the same prompt"):
        trained.answer_losses([(SHORT, "Hi.")])
    trained.refuse()
    assert trained.generate([SHORT], Sampling(2, 0), 0)
    zero = tiny_adapter(tmp_path / "zero", model)
    tensors = load_file(zero / "adapter_model.safetensors")
    save_file({name: torch.zeros_like(one) for name, one in tensors.items()}, zero / "adapter_model.safetensors")
    changed_nothing = LocalModel(str(model), zero)
    changed_nothing.refuse([untouched])
    with pytest.raises(MeasurementError, match=OTHER_WEIGHTS):
        _ = changed_nothing.model
    loaded = LocalModel(str(model))
    _ = loaded.model
    with pytest.raises(MeasurementError, match=OTHER_WEIGHTS):
        loaded.refuse([untouched])


def test_seeds_are_compared_by_their_weights(finished: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(finished, tmp_path / "run")
    runs = {seed: RunDirectory(copied / f"seed-{seed}") for seed in (1, 2)}
    genuine.refuse_equal_trainings(["vanilla", "sft"], runs, False)
    shutil.copy(runs[1].trained("sft", False) / "adapter_model.safetensors", runs[2].trained("sft", False))
    with pytest.raises(MeasurementError, match="seed 2 trained the very weights of seed 1"):
        genuine.refuse_equal_trainings(["vanilla", "sft"], runs, False)
