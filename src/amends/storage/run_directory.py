"""Where a run's files lie in its directory, and its run.json; docs/reference/formats.md says what is in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from amends.errors import StoreError
from amends.records import Inference
from amends.storage.files import read_as, read_json
from amends.storage.vouched import manifest_path

SHAPE = ("seeds", "variants")
"""Keys that say what lies in a directory: a run, or a directory for each of several."""


@dataclass(frozen=True)
class RunDirectory:
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
    def chosen(self) -> Path:
        """How many of a sample of the answers that are to be trained on look harmful."""
        return self.directory / "chosen.json"

    @property
    def agreement_with_probe(self) -> Path:
        """How far the judge and the bundled probe agree."""
        return self.directory / "agreement-with-probe.json"

    @property
    def corrected(self) -> Path:
        """What labels say of the results, once `amends correct` was given some."""
        return self.directory / "corrected.json"

    @property
    def single_files(self) -> tuple[Path, ...]:
        """Those that are replaced without asking whose they are: a directory without run.json must have none of them.

        timings.json is none: what others wrote in it stays.
        """
        return self.results, self.report, self.agreement, self.agreement_with_probe, self.chosen

    def refuse_foreign(self, facts: Mapping[str, Any]) -> None:
        """Raises StoreError where it belongs to another experiment, or has somebody else's files in it.

        Args:
            facts: what run.json would say of this experiment: its configuration, and hashes of its contents.
        """
        configuration = read_run(self.directory)
        if configuration is None:
            if not manifest_path(self.results).exists():  # a damaged run.json may be deleted
                refuse_files(self.single_files)
            return
        theirs = {"configuration": configuration, "contents": read_json(self.run).get("contents", {})}
        foreign = [key for key in facts["contents"] if all(theirs[part].get(key) != facts[part][key] for part in facts)]
        foreign += [key for key in SHAPE if bool(configuration.get(key)) != bool(facts["configuration"][key])]
        if foreign:
            raise StoreError(
                f"{self.directory}: belongs to another configuration (its {' and '.join(foreign)} differ); choose "
                "another directory with --out, or delete this one"
            )

    @property
    def threads(self) -> int | None:
        """Threads that its run began with: one that goes on takes as many, since others may round in another way."""
        return read_as(_RunFile, self.run).threads if self.run.exists() else None

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

    def measured(self, method: str, inference: Inference, suite: str, what: str) -> Path:
        """What was measured of a system on a suite: responses, verdicts, losses."""
        return self.directory / method / f"{inference}.{suite}.{what}.jsonl"


# A function, since a study has such files too, and no directory of a run.
def refuse_files(paths: Iterable[Path]) -> None:
    """Raises StoreError naming the first of these files that is there: amends would overwrite it."""
    for path in paths:
        if path.exists():
            raise StoreError(
                f"{path}: is there, and no run of amends wrote it; it would be overwritten: choose another directory "
                "with --out, or move it away"
            )


class _RunConfiguration(BaseModel):
    """What others than a run itself need of its configuration."""

    methods: list[str] = []
    seeds: list[int] = []
    compose: dict[str, float] = {}


class _RunFile(BaseModel):
    configuration: _RunConfiguration
    contents: dict[str, str] = {}
    threads: int | None = None
    origin: dict[str, str] = {}


def read_run(directory: Path) -> dict[str, Any] | None:
    """The configuration in a directory's run.json; None without one. Raises StoreError where it is not ours."""
    path = RunDirectory(directory).run
    if not path.exists():
        return None
    read_as(_RunFile, path)
    return dict(read_json(path)["configuration"])


def read_origin(directory: Path) -> dict[str, str]:
    """By which amends, command and machine a run was made, as its run.json says; empty where it does not."""
    path = RunDirectory(directory).run
    return read_as(_RunFile, path).origin if path.exists() else {}
