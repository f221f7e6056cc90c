"""Training as a step: what was trained before stays until the new one is finished; an interrupted one goes on."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amends.data.identity import identity
from amends.data.lines import read_objects
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import SampleError, StoreError
from amends.models.source import find_model
from amends.pipeline.resuming import Resuming, said
from amends.pipeline.sets import count
from amends.pipeline.versions import CODE, IDLE, UNTOLD
from amends.storage.files import directory_fingerprint, model_files
from amends.storage.locks import full_device, held
from amends.storage.manifest_content import DamagedError
from amends.storage.manifests import Manifest
from amends.storage.unfinished import Part
from amends.training.environment import sharding
from amends.training.recipe import Recipe
from amends.training.trainers.base import TRAINERS, Trainer, can_start, processes_of

MANY_EPOCHS = 10  # more than any fine-tuning is known to want


@dataclass
class Training(Resuming):
    """Runs trainings, as one of the steps."""

    def train(self, name: str, samples: Path, out: Path, kind: str, recipe: Recipe) -> dict[str, Any]:
        """Writes an adapter or model directory and returns the training's facts: tokens, steps, the loss curve."""
        trainer = TRAINERS[kind]
        if self.waits(name, out, samples, *([recipe.start] if recipe.start else [])):
            return {}
        train = recipe.train
        idle = (names for key, (value, names) in IDLE.items() if getattr(train, key) == value)
        parts = identity(DataSettings(source=str(samples)), out) | {
            "code": CODE["train"],
            "settings": train.model_dump(mode="json", exclude=UNTOLD.union(*idle)),
            "preference": recipe.told(trainer.settings).model_dump(mode="json"),
            "seed": recipe.seed,
            "trainer": kind,
            "model": find_model(recipe.model, recipe.system_prompt).fingerprint(),
            "start": directory_fingerprint(recipe.start) if recipe.start else None,
        }
        model = {"model": recipe.model, "system_prompt": recipe.system_prompt}
        start = self.place(recipe.start) if recipe.start else None
        told = said(parts, inputs={"samples": self.place(samples)}, seed=self.seed, model=model, start=start)
        recipe, manifest = _in_processes(recipe, trainer, out, parts, told)
        part = Part(out, manifest.fingerprint)
        manifest.summary = out.with_name("training.json") if self.root else None
        if self.is_finished(name, manifest):
            if self.outlook and name not in self.outlook.finished:
                return {}
            facts = manifest.fact("facts")
            if part.is_begun() and self.outlook is None:  # of a training that was killed right after its end
                with held(out):
                    part.discard()
        else:
            facts = self._fit(name, samples, out, trainer, recipe, manifest)
        if manifest.summary:
            self.summarize(manifest.summary, facts)
        return facts

    def _fit(
        self, name: str, samples: Path, out: Path, trainer: Trainer, recipe: Recipe, manifest: Manifest
    ) -> dict[str, Any]:
        from amends.training.fit import fit, steps_done

        if out.is_symlink():
            raise StoreError(f"{out}: is a link, and a training replaces its output whole; name the directory itself")
        part = Part(out, manifest.fingerprint)
        part.refuse_foreign()
        manifest.refuse_changed()
        if not trainer.compares:
            _refuse_preferences(samples, trainer)
        rows = count(read_rows(samples, trainer.record))
        steps = None if recipe.train.max_tokens else trainer.steps(recipe, rows)
        self._warn_of_epochs(name, trainer, recipe, rows)
        with held(out), self._timed(name, part.is_begun()):
            manifest.start()  # nothing that lies there is finished from now on
            try:
                kept = steps_done(part, trainer)
                with self.reporter.stage(name, steps, "steps", kept=kept) as progress, full_device(out):
                    given = read_rows(samples, trainer.record)
                    facts = fit(
                        trainer.name,
                        given,
                        out,
                        recipe,
                        manifest.fingerprint,
                        progress,
                        lambda told: self.reporter.say(f"{name}: {told}"),
                    )
            except BaseException:
                manifest.withdraw()
                raise
            manifest.vouch(facts=facts, files=model_files(out))
            part.discard()  # not before the manifest: the part says that the output is ours
        self.note_done(manifest)
        return facts

    def _warn_of_epochs(self, name: str, trainer: Trainer, recipe: Recipe, rows: int) -> None:
        epochs = (recipe.train.max_steps or 0) * recipe.train.rows_a_step / rows
        if epochs > MANY_EPOCHS and trainer.rereads:
            self.reporter.say(
                f"{name}: train.max_steps={recipe.train.max_steps} reads {rows} samples {epochs:.0f} times over, which "
                "learns them by heart; lower it, or set it to null for train.epochs"
            )


def _refuse_preferences(samples: Path, trainer: Trainer) -> None:
    """Raises SampleError where the first sample is a preference, of which the trainer would read the chosen alone."""
    first = next(read_objects(samples), None)
    if first is not None and "rejected" in first.values:
        others = ", ".join(name for name, one in TRAINERS.items() if one.compares)
        raise SampleError(
            f"{first.place}: is a preference, of which trainer {trainer.name} would not read `rejected`; name one that "
            f"compares ({others}; --trainer), or take that column out"
        )


def _in_processes(
    recipe: Recipe, trainer: Trainer, out: Path, parts: dict[str, Any], told: dict[str, Any]
) -> tuple[Recipe, Manifest]:
    """The recipe with its number of processes, and the manifest, which says how these compute: sums hang on it.

    A training that is finished, or was begun, keeps its number where no other one is asked for.
    """

    def manifest(processes: int, shards: str) -> Manifest:
        how = {"processes": processes} | ({"sharding": shards} if shards else {})
        settings = parts["settings"] | (how if processes > 1 else {})  # trainings of before had one
        return Manifest(out, parts | {"settings": settings}, "a training", told | {"settings": parts["settings"] | how})

    if recipe.train.processes == "auto":
        there: dict[str, Any] = {}
        with suppress(DamagedError):  # said where it is asked whether the training is finished
            there = manifest(1, "").read()
        said = there.get("settings", {}).get("settings", {})
        before, shards = said.get("processes", 1), said.get("sharding", "")
        kept = manifest(before, shards)
        if kept.is_of_these_parts(there) and (there["state"] == "finished" or (can_start(before) and not shards)):
            return replace(recipe, processes=before), kept
    processes = processes_of(recipe.train, trainer)
    return replace(recipe, processes=processes), manifest(processes, sharding())
