"""What `amends run --plan` says: what a configuration stands for, what would be done, and what it would take."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amends.config.estimate import Estimate, Rows
from amends.config.settings import Configuration
from amends.pipeline.elsewhere import TrainedElsewhere
from amends.pipeline.experiment import runs_of
from amends.pipeline.forecast import guesses
from amends.pipeline.run import Run
from amends.progress import Silent
from amends.reporting.table import Table

BASIS = (
    "Tokens are rows x attempts x their most tokens. Seconds are a guess from these, the model's size, and products of "
    "matrices measured here; loading, judges and gates come on top (formulas: amends/config/estimate.py)."
)
"""Where the estimate is from."""


@dataclass(frozen=True)
class Planned:
    """What is planned of a configuration, or of one of its variants.

    Attributes:
        name: of the variant; empty where there is one alone.
        facts: what was found: models and judges, with their fingerprints.
        remarks: what is to be said before.
        rows: of each set, by its key.
        estimate: of one seed, with nothing finished.
        seeds: the outputs that each run would make, the steps that it would skip, and those that it would make anew.
        elsewhere: what is to be trained elsewhere when the samples are there, before the run can go on.
    """

    name: str
    facts: dict[str, Any]
    remarks: list[str]
    rows: dict[str, Rows]
    estimate: Estimate
    seeds: dict[str, dict[str, Any]]
    elsewhere: list[TrainedElsewhere]

    def as_json(self) -> dict[str, Any]:
        """All of it, as --json prints it."""
        found = asdict(self)
        found["estimate"] |= {"seconds": self.estimate.seconds, "basis": BASIS}
        return found

    def parts(self) -> Iterator[str | Table]:
        """All of it, to be read."""
        if self.name:
            yield f"variant {self.name}"
        yield from (f"{what:<16} {fact['name']}  ({fact['fingerprint'][:12]})" for what, fact in self.facts.items())
        yield from (f"{key:<24} {rows.count:>8} rows" for key, rows in self.rows.items())
        yield from (f"note: {remark}" for remark in self.remarks)
        for place, found in self.seeds.items():
            yield f"{place}: {len(found['finished'])} steps are finished, {len(found['coming'])} files would be made"
            yield from (f"  made anew: {step}" for step in found["anew"])
        of_seed = [("all, of one seed", "", "", f"{self.estimate.seconds:.0f}")]
        costs = [
            (one.step, str(one.rows), str(one.tokens), "" if one.seconds is None else f"{one.seconds:.0f}")
            for one in self.estimate.costs
        ]
        yield Table("", "", ["step"], ["rows", "tokens", "seconds"], costs + of_seed)
        if not self.estimate.parameters:
            yield from (line for one in self.elsewhere for line in ("It stops at samples.", *one.lines()))
            return
        gigabytes = [f"{size / 1e9:.1f} GB" for size in (self.estimate.generating_bytes, self.estimate.training_bytes)]
        yield (
            f"{self.estimate.parameters / 1e6:.0f} million parameters: {gigabytes[0]} of weights, "
            f"{gigabytes[1]} to train"
        )


def plan_experiment(configuration: Configuration, directory: Path, overwrite: bool = False) -> list[Planned]:
    """The plan of each variant. Writes nothing.

    Raises as a run does: everything that it would refuse before its first step is refused.
    """
    _, runs = runs_of(configuration, directory, Silent(), overwrite)
    return [_planned(name, found) for name, found in runs.items()]


def whole_seconds(whole: Configuration, tried: Configuration, directory: Path) -> float | None:
    """What a run will take here, by what its steps took in a try and by their rows; None where that is not known.

    Args:
        whole: the configuration without a limit.
        tried: the same with one, which is finished.
        directory: of the try.

    Raises InputError where the whole sets cannot be read.
    """
    seconds = 0.0
    parts = (runs_of(one, directory, Silent())[1].values() for one in (whole, tried))
    for of_whole, of_try in zip(*parts, strict=True):
        after, before = (guesses(runs[0].configuration, runs[0].plan.estimate()[1]) for runs in (of_whole, of_try))
        for run in of_try:
            timings = run.steps.timings()
            if not timings:
                return None
            for step, took in timings.items():
                known = step in before and before[step].seconds > 0
                seconds += took * (after[step].seconds / before[step].seconds if known else 1.0)
    return seconds


def _planned(name: str, runs: list[Run]) -> Planned:
    outlooks = {str(one.directory): one.outlook() for one in runs}
    plan = runs[0].plan
    if any(one.coming for one in outlooks.values()):
        plan.check()
        plan.check_rows()
    rows, estimate = plan.estimate()
    seeds = {
        place: {"finished": one.finished, "coming": sorted(map(str, one.coming)), "anew": one.anew}
        for place, one in outlooks.items()
    }
    elsewhere = [found for one in runs if (found := one.elsewhere(outlooks[str(one.directory)].elsewhere))]
    return Planned(name, plan.facts(), plan.remarks(), rows, estimate, seeds, elsewhere)
