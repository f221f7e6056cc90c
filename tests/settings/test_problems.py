"""Settings made in Python are refused as those of a file are: every problem at once, the nearest key, in our words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amends.config.reading import load_configuration
from amends.config.settings import Configuration
from amends.data.settings import DataSettings
from amends.errors import ConfigError
from amends.evaluation.respond import RespondSettings
from amends.evaluation.suites.base import SuiteSettings
from amends.stages.analyze import AnalyzeSettings
from amends.stages.answer import AnswerSettings
from amends.stages.induce import InduceSettings
from amends.stages.revise import ReviseSettings
from amends.training.compose import ComposeSettings
from amends.training.preference import PreferenceSettings
from amends.training.settings import TrainSettings

SETS: dict[str, Any] = {
    "instructions": {"source": "train.jsonl"},
    "suites": {"redteam": {"source": "test.jsonl", "kind": "red-team"}},
}


def refusal(make: Callable[[], object]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.exit_code == 2
    assert "pydantic" not in str(caught.value) and "http" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, (
        "nothing of the library's is shown above it"
    )
    return caught.value


@pytest.mark.parametrize(
    ("kind", "key", "meant"),
    [
        (InduceSettings, "temprature", "temperature"),
        (AnalyzeSettings, "per_mistakes", "per_mistake"),
        (ReviseSettings, "atleast", "at_least"),
        (AnswerSettings, "guide", "guides"),
        (RespondSettings, "inferences", "inference"),
        (ComposeSettings, "analyses", "analysis"),
        (TrainSettings, "epoch", "epochs"),
        (PreferenceSettings, "betas", "beta"),
        (DataSettings, "column", "columns"),
        (SuiteSettings, "kinds", "kind"),
    ],
)
def test_an_unknown_key_of_any_settings_names_the_nearest(kind: type, key: str, meant: str) -> None:
    error = refusal(lambda: kind(**{key: 1}))
    assert f"{key}: unknown key; did you mean {meant!r}?" in error.problems
    assert str(error).startswith(f"{kind.__name__}: ")


@pytest.mark.parametrize(
    "values",
    [
        {"train": {"epoch": 3}, "sede": 1},
        {"epochs": 3},
        {"train": {"epochs": -1, "learning_rate": "fast"}, "methods": ["mistake-analisys"], "induce": {"attempts": 0}},
        {"train": 3, "limit": -1, "system_prompt": " "},
        {"train": {"max_steps": 3, "max_tokens": 3}},
        {"judge": "gate", "seeds": [1], "respond": {"guide": "remind"}, "induce": {"guides": ["plane"]}},
        {"language": "xx"},
        {"guides": "nowhere.yaml"},
        {"variants": {"a/b": {"train.epoch": 1, "seed": 3}, "unguided": {"analyze.guides": ["none"]}}},
        {"suites": {}},
        {"suites": {"redteam": {"source": "b.jsonl", "kind": "red-team", "limits": 3}, "mine": {"kind": "benign"}}},
    ],
)
def test_python_says_what_a_file_says(tmp_path: Path, values: dict[str, Any]) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(SETS | values, sort_keys=False))
    of_file = refusal(lambda: load_configuration(path)).problems
    assert refusal(lambda: Configuration(**SETS | values)).problems == of_file
    assert refusal(lambda: Configuration.model_validate(SETS | values)).problems == of_file


def test_all_problems_of_all_sections_come_at_once() -> None:
    error = refusal(lambda: Configuration(**SETS, train={"epoch": 3}, induce={"atempts": 2}, sede=1))
    assert str(error) == (
        "Configuration: 3 problems\n"
        "  - induce.atempts: unknown key; did you mean 'attempts'?\n"
        "  - train.epoch: unknown key; did you mean 'epochs'?\n"
        "  - sede: unknown key; did you mean 'seed'?"
    )


def test_sections_can_be_settings_and_a_limit_reaches_every_set() -> None:
    rows = DataSettings(source="train.jsonl", limit=100)
    configuration = Configuration(**SETS | {"instructions": rows}, train=TrainSettings(epochs=1), limit=5)
    assert configuration.train.epochs == 1
    assert configuration.instructions.limit == 5 and configuration.suites["redteam"].limit == 5
    assert configuration.benign is None and rows.limit == 100
