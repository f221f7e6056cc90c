"""Where a run's files lie in its directory, and its run.json; docs/formats.md says what is in them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from amends.records import Inference
from amends.store import read_as, read_json

Measured = Literal["responses", "verdicts", "losses"]


@dataclass(frozen=True)
class Layout:
    """The paths of one run's files."""

    directory: Path

    @property
    def run(self) -> Path:
        """The configuration, and what the directory is its run's by."""
        return self.directory / "run.json"

    @property
    def timings(self) -> Path:
        """Seconds by step."""
        return self.directory / "timings.json"

    @property
    def results(self) -> Path:
        """The table, for programs."""
        return self.directory / "results.json"

    @property
    def report(self) -> Path:
        """The same for people."""
        return self.directory / "report.html"

    @property
    def agreement(self) -> Path:
        """How far judge and gate agree."""
        return self.directory / "agreement.json"

    @property
    def agreement_with_probe(self) -> Path:
        """How far the judge and the bundled probe agree."""
        return self.directory / "agreement-with-probe.json"

    @property
    def single_files(self) -> tuple[Path, ...]:
        """Those that are replaced without asking whose they are: a directory without run.json must have none of them.

        timings.json is none: what others wrote in it stays.
        """
        return self.results, self.report, self.agreement, self.agreement_with_probe

    def of_seed(self, seed: int) -> Path:
        """The whole run of one of several seeds."""
        return self.directory / f"seed-{seed}"

    def rows(self, name: str) -> Path:
        """A training set, or what a stage made: instructions, benign, mistakes, analyses, revisions, answers."""
        return self.directory / f"{name}.jsonl"

    def suite(self, name: str) -> Path:
        """The prompts of a suite."""
        return self.directory / "suites" / f"{name}.jsonl"

    def samples(self, method: str) -> Path:
        """What a method trains on."""
        return self.directory / method / "samples.jsonl"

    def trained(self, method: str, full: bool) -> Path:
        """What was trained: an adapter, or all weights."""
        return self.directory / method / ("model" if full else "adapter")

    def training(self, method: str) -> Path:
        """The facts of a method's training."""
        return self.directory / method / "training.json"

    def measured(self, method: str, inference: Inference, suite: str, what: Measured) -> Path:
        """What was measured of a system on a suite."""
        return self.directory / method / f"{inference}.{suite}.{what}.jsonl"


class _RunConfiguration(BaseModel):
    """What others than a run itself need of its configuration."""

    methods: list[str] = []
    seeds: list[int] = []
    compose: dict[str, float] = {}


class _RunFile(BaseModel):
    configuration: _RunConfiguration
    contents: dict[str, str] = {}


def read_run(directory: Path) -> dict[str, Any] | None:
    """The configuration in a directory's run.json; None without one. Raises StoreError where it is damaged, or not ours."""
    path = Layout(directory).run
    if not path.exists():
        return None
    read_as(_RunFile, path)
    return dict(read_json(path)["configuration"])
