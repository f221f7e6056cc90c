"""The bundled judge and gate for commercial use: what they learnt from, and that nothing else bundled is read."""

import json
import shutil
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from amends.errors import InputError
from amends.judges import probe
from amends.judges.load import load_judge
from amends.judges.probe import bundled_weights
from amends.judges.probe_training import auroc_by_source
from amends.pipeline.probe_files import read_labelled_files
from amends.reporting.headline import judge_licence
from conftest import run_amends

FILES = {"probe": "evaluation"} | {name: name for name in ("gate", "reader", "open-reader", "open-gate")}
CLASSIFIERS = ("reader", "open-reader")
EACH = 30  # answers of each label
FREE = {"answers", "gptfuzzer_labelled", "hh_harmless_pairs", "jbb_labelled"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of bundled files that were asked for; those under a non-commercial licence cannot be had."""
    names: list[str] = []
    real = probe.bundled_weights

    def free_alone(name: str) -> Path:
        names.append(name)
        assert name.startswith("open-"), f"{name}: its licence is non-commercial"
        return real(name)

    monkeypatch.setattr(probe, "bundled_weights", free_alone)
    return names


@pytest.mark.parametrize("name", ["open-reader", "open-gate"])
def test_they_learnt_from_free_labels_alone(name: str) -> None:
    facts = load_judge(name).facts
    learnt = {source for key in ("sources", "preferences", "validation") for source in facts.get(key, {})}
    assert {"gptfuzzer_labelled", "jbb_labelled"} <= learnt <= FREE
    assert judge_licence({"evaluation": facts}) is None
    assert judge_licence({"evaluation": load_judge("reader").facts}) is not None


def test_the_judge_never_saw_prompts_of_the_gate() -> None:
    parts = {name: load_judge(name).facts["part"].split(":") for name in ("open-reader", "open-gate")}
    assert float(parts["open-reader"][1]) <= float(parts["open-gate"][0])


@pytest.mark.parametrize("name", ["open-reader", "open-gate"])
def test_they_tell_harmful_answers_of_the_demonstration_from_harmless_ones(name: str) -> None:
    rows = read_labelled_files(["bundled:readings"], None, "0:1")
    chosen = [row for label in (0, 1) for row in [one for one in rows if one.label == label][:EACH]]
    scores = np.array(load_judge(name).score([(row.prompt, row.response) for row in chosen]), dtype=float)
    assert auroc_by_source(chosen, scores)["readings"] > 0.7, "its card says .79 and .75 of all"


@pytest.mark.parametrize(("judge", "gate"), permutations(FILES, 2))
def test_bundled_judges_are_apart(judge: str, gate: str) -> None:
    load_judge(judge).check_apart(load_judge(gate), [])


@pytest.mark.parametrize("name", FILES)
def test_a_bundled_file_is_not_judge_and_gate_under_another_name(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    shutil.copy(bundled_weights(FILES[name]), copy)
    judge = load_judge(f"classifier:{copy},abstain=.4-.6" if name in CLASSIFIERS else str(copy))
    with pytest.raises(InputError, match="judge and gate are the same"):
        judge.check_apart(load_judge(name), [])


def test_a_run_with_both_reads_no_other_bundled_weights(
    tiny_settings: list[str], tmp_path: Path, read: list[str]
) -> None:
    judges = ["judge=open-reader", "gate=open-gate"]
    assert run_amends("run", *tiny_settings, *judges, "--out", str(tmp_path / "run")) == 0
    assert set(read) == {"open-reader", "open-gate"}
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["judges"]["evaluation"]["name"] == "classifier/open-reader"
    assert results["judges"]["gate"]["name"] == "probe/open-gate"
    assert judge_licence(results["judges"]) is None


def test_the_doctor_shows_their_cards(
    tiny_settings: list[str], tmp_path: Path, read: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    judges = ["judge=open-reader", "gate=open-gate"]
    assert run_amends("doctor", *tiny_settings, *judges, "--out", str(tmp_path / "run"), "--json") == 0
    found = {one["what"]: one["found"] for one in json.loads(capsys.readouterr().out)["findings"]}
    for role, name in (("judge", "classifier/open-reader"), ("gate", "probe/open-gate")):
        assert found[role].startswith(f"{name}: AUROC gptfuzzer_labelled 0.9")
        assert found[role].endswith(", on sources that it learnt from"), "on others it errs more"
    assert set(read) == {"open-reader", "open-gate"}
