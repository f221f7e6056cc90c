"""Where a run's files lie in its directory; docs/formats.md says what is in them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amends.records import Inference

Measured = Literal["responses", "verdicts", "losses"]


@dataclass(frozen=True)
class Layout:
    """The paths of one run's files."""

    directory: Path

    @property
    def results(self) -> Path:
        """The table, for programs."""
        return self.directory / "results.json"

    @property
    def report(self) -> Path:
        """The same for people."""
        return self.directory / "report.html"

    def rows(self, name: str) -> Path:
        """A training set, or what a stage made: instructions, benign, mistakes, analyses, revisions, answers."""
        return self.directory / f"{name}.jsonl"

    def suite(self, name: str) -> Path:
        """The prompts of a suite."""
        return self.directory / "suites" / f"{name}.jsonl"

    def samples(self, method: str) -> Path:
        """What a method trains on."""
        return self.directory / method / "samples.jsonl"

    def training(self, method: str) -> Path:
        """The facts of a method's training."""
        return self.directory / method / "training.json"

    def measured(self, method: str, inference: Inference, suite: str, what: Measured) -> Path:
        """What was measured of a system on a suite."""
        return self.directory / method / f"{inference}.{suite}.{what}.jsonl"
