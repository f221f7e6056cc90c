"""All that can be named and added, as `amends run --help` and docs/reference/configuration.md list it."""

import inspect
from collections.abc import Iterator
from typing import Any

from amends.config.methods import METHODS
from amends.data.layouts import LAYOUTS
from amends.evaluation.constraints import CONSTRAINTS
from amends.evaluation.metrics.base import METRICS
from amends.evaluation.suites.base import SUITE_KINDS
from amends.judges.kinds import JUDGES
from amends.models.endpoint.options import EndpointOptions
from amends.models.kinds import MODELS
from amends.models.naming import Kind
from amends.prompts import GUIDE_STAGES, english
from amends.settings.fields import in_words
from amends.stages.executors import EXECUTORS
from amends.training.sample_kinds.base import SAMPLE_KINDS
from amends.training.trainers.base import TRAINERS

LISTED: dict[str, Any] = {
    "Kinds of models": MODELS,
    "Kinds of judges": JUDGES,
    "Methods": METHODS,
    "Trainers": TRAINERS,
    "Kinds of samples": SAMPLE_KINDS,
    "Kinds of suites": SUITE_KINDS,
    "Constraints of verifiable instructions": CONSTRAINTS,
    "Metrics": METRICS,
    "Executors": EXECUTORS,
    "Data layouts": LAYOUTS,
}
"""The registries, by what people call what is in them."""


def all_names() -> Iterator[tuple[str, list[str]]]:
    """What can be named of each kind, as it is written."""
    for title, registry in LISTED.items():
        yield title, registry.forms() if registry in (MODELS, JUDGES) else list(registry)
    yield "Options of an endpoint", list(EndpointOptions.model_fields)
    for stage in GUIDE_STAGES:
        yield f"Guides of {stage}", english().guide_names(stage)


def described() -> Iterator[tuple[str, str, list[str]]]:
    """Of each kind its title, how one is added, and what there is of it, a line each."""
    for title, registry in LISTED.items():
        yield title, registry.how, [f"{_written(name, one)}: {_said(one)}." for name, one in registry.items()]
    fields = EndpointOptions.model_fields.items()
    options = [f"`{name}` ({in_words(field)}): {field.description}" for name, field in fields]
    yield "Options of an endpoint", "", options


def _written(name: str, one: Any) -> str:
    form = one.form if isinstance(one, Kind) else name
    return form if form.startswith(("`", "the ", "an ")) else f"`{form}`"


def _said(one: Any) -> str:
    """What one of them is, by what it says of itself: a class in its docstring."""
    said = inspect.getdoc(one) if isinstance(one, type) else one.summary
    return (said or "one of your own").splitlines()[0].rstrip(".")
