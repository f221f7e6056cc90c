"""Whether a measurement is of what it is said to be: what was really loaded and asked, and what was really trained.

A trained system that answers with the untouched weights, guided inference that asks the unguided prompt, or seeds that
trained the same weights make tables that look like findings. The run stops; nothing is written of the step at hand.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from amends.config.methods import METHODS, Method, with_starts
from amends.data.rows import read_rows
from amends.errors import MeasurementError
from amends.models.hf import LocalModel
from amends.prompts import Guide
from amends.records import Instruction
from amends.storage.files import file_digest, fingerprint, read_json
from amends.storage.run_directory import RunDirectory

PROMPTS = 8  # of a suite, that are compared


def watch(system: LocalModel, method: Method, suite: Path, other: Guide, files: RunDirectory) -> None:
    """Has a system refuse what its measurement on a suite must not be.

    Args:
        system: of that method; loads nothing here.
        other: what stands around the prompts at the other inference: guided where this one is not.
        files: of the run; the trainings' facts hold the digests of the weights that they began from.
    """
    begun = [files.training(name) for name in with_starts([method.name]) if METHODS[name].kinds]
    untouched = [read_json(path).get("untouched") for path in begun if path.exists()]
    rows = list(islice(read_rows(suite, Instruction), PROMPTS)) if suite.exists() else []
    system.refuse([one for one in untouched if one], [other.prompt(row.prompt) for row in rows])


def refuse_equal_trainings(methods: Sequence[str], runs: Mapping[int, RunDirectory], full: bool) -> None:
    """Raises MeasurementError where two seeds ended a method's training with the same weights.

    `runs` are the files of each seed's run, of those that are finished so far.
    """
    for name in with_starts(methods):
        seen: dict[str, int] = {}
        for seed, files in runs.items():
            weights = sorted(files.trained(name, full).glob("*.safetensors"))
            digest = fingerprint(weights={path.name: file_digest(path) for path in weights})
            if weights and seen.setdefault(digest, seed) != seed:
                raise MeasurementError(
                    f"{files.trained(name, full)}: seed {seed} trained the very weights of seed {seen[digest]}, so "
                    "that intervals over seeds would mean nothing; remove that directory and run again, and report this"
                )
