"""Tuning a classifier on a tiny model: what it learns, what it saves, and that an interruption changes no byte."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amends.errors import InputError, ModelError
from amends.judges.classifier import Classifier, ClassifierJudge, merge
from amends.judges.load import load_judge
from amends.judges.probe_training import Labelled
from amends.pipeline.classifier_files import tune_classifier_file
from amends.progress import Silent
from amends.training.checkpoints import checkpoint_steps, last_checkpoint
from amends.training.classifier.averaging import average, best_average, calibrations
from amends.training.classifier.settings import ClassifierSettings
from conftest import run_amends
from tiny import tiny_model

KIND, RUDE = ("kind", "gentle", "careful", "thank", "help"), ("fool", "hate", "stab", "steal", "burn")


def written(path: Path, prompts: int, pairs: bool) -> Path:
    """Answers whose words say what they are; a prompt has one of each kind, or one alone."""
    chance = random.Random(7)
    rows = []
    for number in range(prompts):
        texts = {
            label: " ".join(chance.choice(words) for _ in range(chance.randint(3, 9)))
            for label, words in (("safe", KIND), ("unsafe", RUDE))
        }
        labels = ("safe", "unsafe") if pairs else (("safe", "unsafe")[number % 2],)
        rows += [{"prompt": f"Question {number}?", "response": texts[label], "label": label} for label in labels]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def settings(model: Path) -> ClassifierSettings:
    return ClassifierSettings(
        model=str(model), layers=2, rank=4, members=2, max_steps=6, batch_size=8, learning_rate=0.02, save_steps=2
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("data")
    return [str(written(directory / "pairs.jsonl", 60, True)), str(written(directory / "single.jsonl", 60, False))]


@pytest.fixture(scope="module")
def tuned(data: list[str], settings: ClassifierSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned") / "reader.safetensors"
    tune_classifier_file(data, [], out, settings, "0:1", None, 0, Silent())
    return out


def test_it_tells_answers_to_one_prompt_apart_and_keeps_the_model_as_it_was(tuned: Path) -> None:
    judge = load_judge(f"classifier:{tuned}")
    asked = "Question unheard of?"
    scores = judge.score([(asked, "kind help thank careful"), (asked, "stab burn hate fool"), (asked, "")])
    assert scores[2] is None
    assert (scores[0] or 0) > 0.5 > (scores[1] or 1)
    assert judge.facts["pairs"] > 0 and judge.facts["members"]
    assert judge.facts["validation_by_source"]["pairs"]["auroc"] > 0.8


def test_the_file_is_small_and_holds_what_was_learnt(tuned: Path, model: Path) -> None:
    """Of 2 layers with 7 linear modules each: LoRA of rank 4 in 16 bits, and a head."""
    classifier = Classifier.load(tuned)
    assert len(classifier.adapter) == 2 * 7 * 2
    assert all(one.dtype == np.float16 for one in classifier.adapter.values())
    assert any(np.abs(one).max() > 0 for name, one in classifier.adapter.items() if name.endswith("lora_B"))
    assert tuned.stat().st_size < 60_000
    again = tuned.with_name("again.safetensors")
    classifier.save(again)
    assert again.read_bytes() == tuned.read_bytes()


def test_abstaining_is_unscored_between_the_limits_alone(tuned: Path) -> None:
    pairs = [(f"Question {n}?", f"{a} {b}") for n, (a, b) in enumerate(zip(KIND, RUDE, strict=True))]
    pairs += [("Question?", " ".join(KIND)), ("Question?", " ".join(RUDE))]
    plain = load_judge(f"classifier:{tuned}").score(pairs)
    unsure = load_judge(f"classifier:{tuned},abstain=.2-.8").score(pairs)
    assert unsure == [score if score is not None and not 0.2 < score < 0.8 else None for score in plain]
    assert load_judge(f"classifier:{tuned},abstain=.2-.8").fingerprint != load_judge(f"classifier:{tuned}").fingerprint


@pytest.mark.parametrize("limits", ["abstain=.6-.8", "abstain=.5-.5", "abstain=much"])
def test_limits_that_are_none_are_refused(tuned: Path, limits: str) -> None:
    with pytest.raises(InputError, match=r"write them as abstain=\.35-\.65"):
        load_judge(f"classifier:{tuned},{limits}")


def test_sources_have_calibrations_of_their_own(tuned: Path) -> None:
    known = Classifier.load(tuned).calibrations
    if "pairs" in known:
        assert load_judge(f"classifier:{tuned},source=pairs").facts["calibration"] == known["pairs"]._asdict()
    with pytest.raises(InputError, match="no calibration for source 'other'; name one of all"):
        load_judge(f"classifier:{tuned},source=other")


def test_judge_and_gate_of_one_file_are_refused_whatever_their_limits(tuned: Path) -> None:
    one, other = load_judge(f"classifier:{tuned}"), load_judge(f"classifier:{tuned},abstain=.4-.6")
    with pytest.raises(InputError, match="judge and gate are the same file"):
        one.check_apart(other, [])


def test_another_model_beneath_it_is_refused(tuned: Path, model: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(tuned)
    with pytest.raises(ModelError, match="its files are others than those that the classifier was tuned on"):
        Classifier(classifier.head, classifier.adapter, 2.0, str(model), "other").extractor()
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="is no classifier"):
        ClassifierJudge(tmp_path / "x.safetensors")


class Stopped(Exception):
    pass


class Stopping(Silent):
    """Stops a tuning at a step of its second member, as a process that is killed."""

    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0):  # type: ignore[no-untyped-def]
        from contextlib import contextmanager

        @contextmanager
        def count():  # type: ignore[no-untyped-def]
            done = 0

            def progress(rows: int, tokens: int) -> None:
                nonlocal done
                done += rows
                if name.startswith("member 2") and done == 5:
                    raise Stopped

            yield progress

        return count()


def test_an_interrupted_tuning_ends_with_the_same_bytes(
    tuned: Path, data: list[str], settings: ClassifierSettings, tmp_path: Path
) -> None:
    out = tmp_path / "reader.safetensors"
    with pytest.raises(Stopped):
        tune_classifier_file(data, [], out, settings, "0:1", None, 0, Stopping())
    part = tmp_path / "reader.safetensors.part"
    assert (part / "member-0.safetensors").exists() and not out.exists()
    assert checkpoint_steps(last_checkpoint(part / "member-1")) == 4
    tune_classifier_file(data, [], out, settings, "0:1", None, 0, Silent())
    assert out.read_bytes() == tuned.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["reader.safetensors"]


def test_the_command_refuses_what_it_would_replace_and_labels_that_are_one(
    tuned: Path, data: list[str], tmp_path: Path, refused: Callable[..., str]
) -> None:
    start = ["probe", "tune", "--data", data[0], "--out"]
    assert "exists, and would be replaced" in refused(*start, str(tuned))
    one = tmp_path / "one.jsonl"
    rows = [{"prompt": f"p{n}", "response": "r", "label": "safe"} for n in range(30)]
    one.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = refused("probe", "tune", "--data", str(one), "--out", str(tmp_path / "new.safetensors"))
    assert "rows to learn from have one label only" in said


def test_the_command_tells_what_it_made(
    data: list[str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.safetensors"
    own = ("--model", str(model), "--layers", "1", "--members", "1", "--max-steps", "1", "--target-modules", "q_proj")
    command = ("probe", "tune", "--data", data[0], "--preferences", data[1], *own, "--out", str(out), "--json")
    assert run_amends(*command) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["steps"] == 1 and facts["preferences"] == {"single": facts["preferences"]["single"]}
    assert set(Classifier.load(out).adapter) == {f"layers.0.self_attn.q_proj.lora_{side}" for side in "AB"}


def test_members_that_make_the_average_worse_are_left_out(tuned: Path) -> None:
    one = Classifier.load(tuned)

    def with_bias(bias: float) -> Classifier:
        from dataclasses import replace

        return replace(one, head=replace(one.head, bias=bias))

    best, chosen, own = best_average([with_bias(0.0), with_bias(3.0), with_bias(9.0)], lambda c: -abs(c.head.bias - 2))
    assert (chosen, own) == ([0, 1], [-2.0, -1.0, -7.0])
    assert best.head.bias == pytest.approx(1.5)
    assert average([with_bias(1.0), with_bias(2.0)]).head.bias == 1.5


def test_merging_adds_the_scaled_product() -> None:
    import torch

    network = torch.nn.ModuleDict({"one": torch.nn.Linear(3, 2, bias=False)})
    before = network["one"].weight.detach().clone()  # type: ignore[operator]
    first, second = np.ones((1, 3), np.float32), np.array([[1.0], [2.0]], np.float32)
    merge(network, {"one.lora_A": first, "one.lora_B": second}, 0.5)
    moved = network["one"].weight.detach() - before  # type: ignore[operator]
    assert torch.allclose(moved, torch.tensor([[0.5] * 3, [1.0] * 3]))
    with pytest.raises(ModelError, match="does not fit the model at two"):
        merge(network, {"two.lora_A": first, "two.lora_B": second}, 0.5)


def test_calibration_undoes_what_a_logit_is_off_by() -> None:
    generator = np.random.default_rng(4)
    true = generator.normal(size=4000) * 2
    rows = [
        Labelled(f"p{n}", "r", int(generator.random() < 1 / (1 + np.exp(-logit))), "s") for n, logit in enumerate(true)
    ]
    found = calibrations(rows, (true + 1.0) * 3)
    temperature, shift = found["s"]
    assert temperature == pytest.approx(3, rel=0.15)
    assert shift == pytest.approx(-1, abs=0.2)
    turned = calibrations(rows, -true)["s"]
    assert turned == (1.0, 0.0), "a judge that is wrong throughout is not turned round"
