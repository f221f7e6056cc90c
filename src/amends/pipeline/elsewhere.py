"""Where a run stops whose model is asked and not trained here: what is to be trained, where, and how it goes on."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amends.config.methods import METHODS, Method
from amends.config.settings import Configuration
from amends.models.base import Model
from amends.storage.run_directory import RunDirectory
from amends.training.trainers.base import TRAINERS

WEIGHTS = "WEIGHTS"
"""Stands for the weights of a served model whose name is neither a hub id nor a path."""


@dataclass(frozen=True)
class TrainedElsewhere:
    """Methods whose samples are there, and whose training is to be done where the weights are.

    Attributes:
        model: who is asked, for messages.
        directory: of the run.
        commands: what trains each method, by its name, in the order in which they have to be done.
        systems: the settings with which the run goes on, one a method that is measured.
        remarks: what else is to be known.
    """

    model: str
    directory: str
    commands: dict[str, str]
    systems: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """Which methods, and why, in a line."""
        return (
            f"{self.directory}: samples are finished of {', '.join(self.commands)}; training needs the weights of "
            f"{self.model}, which are not here"
        )

    def lines(self) -> list[str]:
        """All of it, to be read."""
        return [
            self.summary,
            "Where they are, and this directory is, train:",
            *(f"  {command}" for command in self.commands.values()),
            *self.remarks,
            "Serve each result, and run the same command again with",
            *(f"  {setting}" for setting in self.systems),
        ]

    def as_json(self) -> dict[str, Any]:
        """All of it, as --json prints it."""
        return asdict(self)


def trained_elsewhere(
    methods: Sequence[Method], configuration: Configuration, model: Model, directory: Path, several: bool = False
) -> TrainedElsewhere:
    """What is to be trained elsewhere.

    Args:
        methods: those that have no result yet, each behind the one that it goes on from.
        configuration: of the run, whose settings the commands have.
        model: who was asked in the place of the weights.
        several: whether there are other seeds, whose results have systems of their own.
    """
    remarks = []
    key, served = (f".{configuration.seed}", f"-{configuration.seed}") if several else ("", "")
    name = model.name if "/" in model.name else WEIGHTS
    if name == WEIGHTS:
        remarks.append(
            f"{WEIGHTS} stands for the model that the server has as {model.name!r}: a directory or a hub id."
        )
    return TrainedElsewhere(
        model.title,
        str(directory),
        {method.name: _command(method, configuration, name, RunDirectory(directory)) for method in methods},
        tuple(
            f"systems.{method.name}{key}=endpoint:{method.name}{served}@URL"
            for method in methods
            if method.name in configuration.methods
        ),
        tuple(remarks),
    )


def _command(method: Method, configuration: Configuration, model: str, files: RunDirectory) -> str:
    full = configuration.train.adapter == "full"
    given: dict[str, Any] = {
        "model": model,
        "samples": files.samples(method.name),
        "out": files.trained(method.name, full),
        "trainer": method.trainer if method.trainer != "sft" else None,
        "start": files.trained(method.start, full) if method.start and METHODS[method.start].kinds else None,
        "seed": configuration.seed,
        "system_prompt": configuration.system_prompt,
        "language": configuration.language if configuration.language != "en" else None,
        "guides": configuration.guides,
    }
    differing = configuration.train.model_dump(exclude={"adapter"}, exclude_defaults=True)
    own = set(TRAINERS[method.trainer].settings.model_fields)
    differing |= configuration.preference.model_dump(include=own, exclude_defaults=True)
    words = ["amends", "train", *(["--full"] if full else [])]
    for name, value in (given | differing).items():
        words += _option(name, value)
    return shlex.join(words)


def _option(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return []
    return [flag, value if isinstance(value, str) else str(value) if isinstance(value, Path) else json.dumps(value)]
