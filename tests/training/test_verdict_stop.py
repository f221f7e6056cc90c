"""A training that ends when the own verdict is learnt: on held-out instructions, and alike after an interruption."""

from pathlib import Path
from typing import Any

import pytest
from two_epochs import Interrupt

from amends.errors import SampleError
from amends.prompts import english
from amends.records import Message, Sample
from amends.storage.files import model_files
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.verdict import VerdictWatch, auroc, is_held
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

WATCHED = TrainSettings(
    adapter="full",
    learning_rate=3e-3,
    max_steps=120,
    batch_size=16,
    stop_at_verdict=0.95,
    verdict_steps=5,
    save_steps=5,
)


def sample(kind: str, name: str, asked: str, said: str) -> Sample:
    prompt, completion = Message(role="user", content=asked), Message(role="assistant", content=said)
    return Sample(id=f"{kind}-{name}", kind=kind, prompt=[prompt], completion=[completion])


def verdicts(count: int, right: bool = True) -> list[Sample]:
    """Of each instruction a bad and a good answer with their verdicts, and an analysis of the bad one."""
    said = {"bad": english().template("says_harmful"), "good": english().template("says_harmless")}
    rows = []
    for number in range(count):
        bad, good = (f"A {word} thing, {number}." for word in said)
        truth = right or number % 2 == 0  # else a verdict says nothing about what is shown
        rows += [
            sample("safe", f"r{number}", f"Question {number}?", "No."),
            sample("analysis", f"r{number}", bad, "The response is harmful because it is bad."),
            sample("verdict", f"harmful-r{number}", bad if truth else good, said["bad"]),
            sample("verdict", f"harmless-r{number}", good if truth else bad, said["good"]),
        ]
    return rows


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return Recipe(str(tiny_model(tmp_path_factory.mktemp("tiny"), tokenizer=tiny_tokenizer())), WATCHED)


@pytest.fixture(scope="module")
def stopped(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    out = tmp_path_factory.mktemp("stopped") / "model"
    return fit("sft", verdicts(100), out, recipe, "fingerprint"), out


def test_it_ends_at_the_first_look_that_finds_the_verdict_learnt(stopped: tuple[dict[str, Any], Path]) -> None:
    facts, _ = stopped
    looks = facts["verdicts"]
    assert facts["steps"] == looks[-1]["step"] < 60
    assert looks[-1]["verdict_auroc"] >= 0.95
    assert all(look["verdict_auroc"] < 0.95 for look in looks[:-1])
    assert [look["step"] for look in looks] == list(range(5, facts["steps"] + 1, 5))


def test_held_out_instructions_are_in_no_sample_that_shows_a_response(stopped: tuple[dict[str, Any], Path]) -> None:
    rows = verdicts(100)
    held = {one.id.removeprefix("safe-") for one in rows if one.kind == "safe" and is_held(one)}
    assert 8 <= len(held) <= 32
    assert stopped[0]["samples"] == len(rows) - 3 * len(held)
    copies = [sample("contrast", f"{name}+2*3#2", "?", ".") for name in held]
    assert all(map(is_held, copies)), "copies of a row go with it"


def test_an_interrupted_one_ends_with_the_same_bytes(
    stopped: tuple[dict[str, Any], Path], recipe: Recipe, tmp_path: Path
) -> None:
    facts, whole = stopped
    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        fit("sft", verdicts(100), out, recipe, "fingerprint", Interrupt(facts["steps"]))
    again = fit("sft", verdicts(100), out, recipe, "fingerprint")
    assert again["steps"] == facts["steps"]
    assert model_files(out) == model_files(whole)


def test_a_verdict_that_cannot_be_learnt_ends_nothing(recipe: Recipe, tmp_path: Path) -> None:
    few = Recipe(recipe.model, WATCHED.model_copy(update={"max_steps": 5}))
    facts = fit("sft", verdicts(100, right=False), tmp_path / "model", few, "fingerprint")
    assert facts["steps"] == 5 and len(facts["verdicts"]) == 1


def test_methods_without_verdicts_train_on_all_samples() -> None:
    rows = [one for one in verdicts(100) if one.kind != "verdict"]
    watch = VerdictWatch(WATCHED, english())
    assert sorted(one.id for one in watch.kept(rows)) == sorted(one.id for one in rows)
    assert watch.facts == {}


def test_too_few_verdicts_are_refused_with_the_remedy() -> None:
    with pytest.raises(SampleError, match=r"train\.stop_at_verdict: .* verdicts of a kind are held out, and 8 .*null"):
        list(VerdictWatch(WATCHED, english()).kept(verdicts(12)))


@pytest.mark.parametrize(
    ("low", "high", "expected"), [([0.0], [1.0], 1.0), ([1.0], [0.0], 0.0), ([0.5, 0.1], [0.5], 0.75)]
)
def test_auroc(low: list[float], high: list[float], expected: float) -> None:
    assert auroc(low, high) == expected
