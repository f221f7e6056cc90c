"""Suites on which nothing is generated: on reference answers to benign prompts, utility is measured without a judge."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.suites.base import SUITE_KINDS, Measured, Steps, SuiteKind
from amends.prompts import Language
from amends.records import Inference, ReferenceLoss
from amends.storage.run_directory import RunDirectory


@dataclass(frozen=True, eq=False, kw_only=True)
class References(SuiteKind):
    """How unlikely a system finds the `chosen` of the prompts, and how far it is from its start there."""

    needs: Mapping[str, str] = field(default_factory=lambda: {"chosen": "a reference answer to measure the loss on"})

    written: ClassVar[str] = "losses"
    judged: ClassVar[bool] = False
    reads_with_start: ClassVar[bool] = True
    said: ClassVar[str] = "loss"
    by_losses: ClassVar[bool] = True

    def ask(self, steps: Steps, name: str, prompts: DataSettings, out: Path, system: Measured) -> None:
        """Losses and divergences."""
        steps.reference(name, prompts, out, system.model, system.asked, system.start)

    def values(self, path: Path) -> Iterator[tuple[str, str | float]]:
        """The losses."""
        return ((row.id, row.nats) for row in read_rows(path, ReferenceLoss))

    def measure(
        self, files: RunDirectory, method: str, inference: Inference, suite: str, language: Language
    ) -> Measurement:
        """From losses."""
        losses = read_rows(files.measured(method, inference, suite, "losses"), ReferenceLoss)
        return measure(method, inference, suite, self.name, losses=losses)


SUITE_KINDS.register(
    "benign",
    References(
        name="benign",
        asks_harm=False,
        headlines=("reference_loss", "divergence"),
        prices={"reference_loss": "loss on {suite}, nats per token"},
    ),
)
