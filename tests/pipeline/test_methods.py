"""Every method of the comparison through the real entry point: two steps of its own trainer on a tiny model."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from amends.config.methods import METHODS
from amends.evaluation.respond import RespondSettings, answering_guide
from amends.prompts import english
from conftest import run_amends
from tiny_run import speaking_model

NEW = [
    "mistake-analysis-contrast",
    "placebo",
    "mistake-analysis-plus",
    "critique-revise",
    "chain-of-hindsight",
    "dpo",
    "rlhf",
]


@pytest.fixture(scope="module")
def run_of_all(finished_run: Path, tiny_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run with the other methods added: what it has is kept."""
    directory = tmp_path_factory.mktemp("all") / "run"
    other = speaking_model(directory.with_name("other"), seed=2)
    shutil.copytree(finished_run, directory)
    settings = [
        f"methods=[vanilla, sft, mistake-analysis, {', '.join(NEW)}]",
        "revise.max_new_tokens=32",
        "revise.attempts=2",
        "answer.max_new_tokens=24",
        "answer.attempts=3",
        "contrast.max_new_tokens=32",
        "reply.max_new_tokens=24",
        "chain.max_new_tokens=24",
        "chain.attempts=2",
        "analyze.per_mistake=2",
        f"analyze.source={other}",
        "preference.generations=2",
        "preference.max_new_tokens=8",
    ]
    out = ("--out", str(directory), "--overwrite")  # for the analyses, whose settings are others
    assert run_amends("run", *tiny_settings, *settings, *out) == 0
    return directory


@pytest.mark.parametrize("method", NEW)
def test_every_method_trains_two_steps_and_is_measured(run_of_all: Path, method: str) -> None:
    facts = json.loads((run_of_all / method / "training.json").read_text())
    assert facts["steps"] == 2
    assert facts["trained_tokens"] > 0
    assert len(facts["log"]) == 2
    rows = json.loads((run_of_all / "results.json").read_text())["systems"]
    measured = {(row["suite"], row["inference"]) for row in rows if row["method"] == method}
    assert len(measured) == 6
    assert all(row["harmless_rate"] is not None for row in rows if row["suite"] == "redteam")


def test_analyses_by_another_model_and_several_of_a_mistake(run_of_all: Path) -> None:
    mistakes, analyses = (
        [json.loads(line) for line in (run_of_all / f"{name}.jsonl").read_text().splitlines()]
        for name in ("mistakes", "analyses")
    )
    assert [row["id"] for row in analyses] == [name for row in mistakes for name in (row["id"], f"{row['id']}+2")]
    texts = [row["analysis"] for row in analyses if row["passed"]]
    assert len(set(texts)) == len(texts) > 1, "each is drawn anew"
    made_by = json.loads((run_of_all / "analyses.jsonl.manifest.json").read_text())["settings"]["model"]["model"]
    assert made_by == str(run_of_all.with_name("other"))


def test_dpo_and_rlhf_go_on_from_the_fine_tuned_model(run_of_all: Path) -> None:
    start, dpo, rlhf = (
        load_file(run_of_all / name / "adapter/adapter_model.safetensors") for name in ("sft", "dpo", "rlhf")
    )
    for trained in (dpo, rlhf):
        assert trained.keys() == start.keys(), "the reference's copy of the adapter is not saved"
        assert any((trained[key] != start[key]).any() for key in start)
        assert all(abs(trained[key] - start[key]).max() < 0.01 for key in start), "two steps away from it"
    facts = json.loads((run_of_all / "rlhf/training.json").read_text())
    assert facts["reward_steps"] == facts["reward_log"][-1]["step"]
    assert facts["reward_tokens"] == facts["tokens_per_epoch"]
    assert 0 <= facts["chosen_longer"] <= 1


def test_only_chain_of_hindsight_puts_a_phrase_before_its_answers(run_of_all: Path) -> None:
    parts = {
        method: json.loads((run_of_all / method / "unguided.redteam.responses.jsonl.manifest.json").read_text())[
            "parts"
        ]
        for method in METHODS
    }
    differ = {method for method in METHODS if parts[method]["guide"] != parts["vanilla"]["guide"]}
    assert differ == {"chain-of-hindsight"}
    assert answering_guide(RespondSettings(), True, english(), METHODS["chain-of-hindsight"].prefill).cues == (
        english().guide("respond", "reminder").suffix,
        english().template("hindsight_good"),
    )
