"""amends: make a language model safer from its own mistakes."""

import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amends.api.loading import LoadedModel as LoadedModel
    from amends.api.loading import load_data as load_data
    from amends.api.loading import load_judge as load_judge
    from amends.api.loading import load_language as load_language
    from amends.api.loading import load_model as load_model
    from amends.api.measuring import compare as compare
    from amends.api.measuring import judge as judge
    from amends.api.measuring import respond as respond
    from amends.api.runs import doctor as doctor
    from amends.api.runs import report as report
    from amends.api.runs import run as run
    from amends.api.runs import study as study
    from amends.api.runs import why as why
    from amends.api.stages import analyze as analyze
    from amends.api.stages import answer as answer
    from amends.api.stages import chain as chain
    from amends.api.stages import contrast as contrast
    from amends.api.stages import induce as induce
    from amends.api.stages import reply as reply
    from amends.api.stages import revise as revise
    from amends.api.training import compose as compose
    from amends.api.training import train as train
    from amends.config.methods import Method as Method
    from amends.config.methods import register_method as register_method
    from amends.data.layouts import register_layout as register_layout
    from amends.errors import AmendsError as AmendsError
    from amends.evaluation.constraints import register_constraint as register_constraint
    from amends.evaluation.metrics.base import register_metric as register_metric
    from amends.evaluation.suites.base import register_suite_kind as register_suite_kind
    from amends.judges.base import Judge as Judge
    from amends.judges.kinds import register_judge as register_judge
    from amends.models.base import Model as Model
    from amends.models.kinds import register_model as register_model
    from amends.prompts.registered import register_guides as register_guides
    from amends.reporting.console import quiet as quiet
    from amends.stages.executors import Executor as Executor
    from amends.stages.executors import register_executor as register_executor
    from amends.training.sample_kinds.base import register_sample_kind as register_sample_kind
    from amends.training.trainers.base import register_trainer as register_trainer

__version__ = "0.1.0"

PLACES = {
    "load_model": "api.loading",
    "load_data": "api.loading",
    "load_judge": "api.loading",
    "load_language": "api.loading",
    "LoadedModel": "api.loading",
    "induce": "api.stages",
    "analyze": "api.stages",
    "revise": "api.stages",
    "answer": "api.stages",
    "contrast": "api.stages",
    "reply": "api.stages",
    "chain": "api.stages",
    "compose": "api.training",
    "train": "api.training",
    "respond": "api.measuring",
    "judge": "api.measuring",
    "compare": "api.measuring",
    "study": "api.runs",
    "run": "api.runs",
    "report": "api.runs",
    "doctor": "api.runs",
    "why": "api.runs",
    "quiet": "reporting.console",
    "AmendsError": "errors",
    "Executor": "stages.executors",
    "Judge": "judges.base",
    "Method": "config.methods",
    "Model": "models.base",
    "register_constraint": "evaluation.constraints",
    "register_guides": "prompts.registered",
    "register_judge": "judges.kinds",
    "register_layout": "data.layouts",
    "register_method": "config.methods",
    "register_metric": "evaluation.metrics.base",
    "register_model": "models.kinds",
    "register_sample_kind": "training.sample_kinds.base",
    "register_suite_kind": "evaluation.suites.base",
    "register_trainer": "training.trainers.base",
    "register_executor": "stages.executors",
}
"""The public names, and the modules that they are loaded from when they are first used."""

__all__ = [*PLACES]


def __getattr__(name: str) -> object:
    if name in PLACES:
        return getattr(importlib.import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *PLACES})


# TRL's trainers send telemetry otherwise. The hub's library reads this once, when it is imported, perhaps before us.
if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1" and "huggingface_hub.constants" in sys.modules:
    sys.modules["huggingface_hub.constants"].HF_HUB_DISABLE_TELEMETRY = True  # type: ignore[attr-defined]
