"""What a run says is to be trained elsewhere has the run's own settings, those of single trainers among them."""

import json
import shlex
from pathlib import Path

import pytest

from amends.config.methods import METHODS
from amends.config.reading import load_configuration
from amends.models.scripted import ScriptedModel
from amends.pipeline.elsewhere import trained_elsewhere
from conftest import run_amends
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

PAIR = {
    "id": "1",
    "kind": "preference",
    "prompt": [{"role": "user", "content": "Name a colour."}],
    "completion": [{"role": "assistant", "content": "Blue."}],
    "rejected": [{"role": "assistant", "content": "Tuesday."}],
}
SET = [
    *("preference.beta=0.3", "preference.kl=0.2", "train.max_steps=1", "train.batch_size=4", "train.processes=1"),
    "train.gradient_checkpointing=true",
]


def test_the_commands_have_the_settings_of_their_trainers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the commands take them."""
    configuration = load_configuration("quickstart", [*SET, "methods=[dpo, rlhf]"])
    model = ScriptedModel("org/m", lambda prompt, seed: "")
    found = trained_elsewhere([METHODS["dpo"], METHODS["rlhf"]], configuration, model, Path("run"))
    assert found.remarks == ()
    assert "--gradient-checkpointing true" in found.commands["dpo"]
    assert "--beta 0.3" in found.commands["dpo"] and "--kl" not in found.commands["dpo"]
    assert "--kl 0.2" in found.commands["rlhf"] and "--beta" not in found.commands["rlhf"]
    monkeypatch.chdir(tmp_path)
    tiny_model(tmp_path / "org" / "m", tokenizer=tiny_tokenizer())
    (tmp_path / "run" / "dpo").mkdir(parents=True)
    (tmp_path / "run" / "dpo" / "samples.jsonl").write_text(json.dumps(PAIR) + "\n")
    command, _, start = found.commands["dpo"].partition(" --start ")
    assert run_amends(*shlex.split(f"{command} {start.partition(' ')[2]}")[1:]) == 0, "without what it goes on from"
    told = json.loads((tmp_path / "run" / "dpo" / "adapter.manifest.json").read_text())["settings"]["preference"]
    assert told == {"beta": 0.3, "dpo_learning_rate": configuration.preference.model_dump()["dpo_learning_rate"]}
