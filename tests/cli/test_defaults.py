"""The single stages' defaults are those of a configuration: they stand twice only so that --help can show them at once."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from amends.cli import evaluate, stages
from amends.config import (
    AnalyzeSettings,
    AnswerSettings,
    InduceSettings,
    RespondSettings,
    ReviseSettings,
    TrainSettings,
)


@pytest.mark.parametrize(
    ("command", "settings"),
    [
        (stages.induce, InduceSettings),
        (stages.analyze, AnalyzeSettings),
        (stages.revise, ReviseSettings),
        (stages.answer, AnswerSettings),
        (stages.train, TrainSettings),
        (evaluate.respond, RespondSettings),
    ],
)
def test_options_have_the_configurations_defaults(command: Callable[..., Any], settings: Any) -> None:
    options = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    shared = {name: field.default for name, field in settings.model_fields.items() if name in options}
    assert len(shared) >= 2
    assert {name: options[name] for name in shared} == shared
