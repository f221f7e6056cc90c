"""Each stage as a step over files: what it is made from, whether it is finished, its progress, its facts.

A run orders these steps; the command line calls them one by one.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amends.config import AnalyzeSettings, ComposeSettings, DataSettings, InduceSettings, RespondSettings, TrainSettings
from amends.data.rows import read_rows
from amends.data.sources import load_instructions, source_files
from amends.errors import InputError, StoreError, YieldError
from amends.methods import Method
from amends.models.local import LocalModel
from amends.progress import Reporter, Silent
from amends.prompts import guide, guides, templates_fingerprint
from amends.protocols import Judge, ProgressCallback, Sampling
from amends.records import Analysis, Instruction, Mistake, Response, Sample
from amends.seeds import derive_seed
from amends.stages.analyze import analyze
from amends.stages.compose import compose
from amends.stages.induce import induce
from amends.stages.judge import judge_responses
from amends.stages.reference import reference_losses
from amends.stages.respond import respond
from amends.stages.streaming import stream
from amends.stages.yields import analysis_yield, mistake_yield
from amends.store import Artifact, Manifest, file_digest, locked, write_json


@dataclass
class Steps:
    """Runs steps that are not finished, and keeps how long each took.

    Args:
        seed: of all random streams.
        reporter: receives progress and news.
    """

    seed: int = 0
    reporter: Reporter = field(default_factory=Silent)
    seconds: dict[str, float] = field(default_factory=dict)

    def data(self, name: str, settings: DataSettings, out: Path) -> None:
        """Copies a set of rows into our format, so that everything after reads one format."""
        artifact = Artifact(
            out,
            {
                "settings": settings.model_dump(mode="json", exclude={"kind"}),
                "inputs": {path.name: file_digest(path) for path in source_files(settings.source)},
            },
        )
        self._run(
            name,
            artifact,
            lambda: settings.limit,
            lambda progress: stream(rows_of(settings), artifact, lambda chunk, *_: chunk, progress),
        )

    def induce(
        self, instructions: DataSettings, out: Path, model: LocalModel, gate: Judge, settings: InduceSettings
    ) -> dict[str, Any]:
        """Writes mistakes and returns their yield. Raises YieldError where none passed the gate."""
        if settings.source == "origin" and all(row.rejected is None for row in rows_of(instructions)):
            raise InputError(
                f"{instructions.source}: no row has `rejected`, so there are no origin mistakes; map a column to it, or "
                "set source to own"
            )
        artifact = Artifact(out, self._parts(instructions, settings, model.fingerprint, gate.fingerprint))
        self._run(
            "mistakes",
            artifact,
            lambda: count_rows(instructions),
            lambda progress: induce(
                rows_of(instructions),
                artifact,
                model,
                gate,
                guides("induce", settings.guides),
                settings.attempts,
                sampling(settings),
                self.seed,
                settings.source,
                progress,
            ),
            lambda: {"yield": mistake_yield(read_rows(artifact.part, Mistake), settings.guides)},
        )
        return _passed(artifact, "mistake", "induce")

    def analyze(
        self,
        mistakes: Path,
        out: Path,
        model: LocalModel,
        gate: Judge,
        settings: AnalyzeSettings,
        limit: int | None = None,
    ) -> dict[str, Any]:
        """Writes analyses and returns their yield. Raises YieldError where none passed its gate."""
        source = DataSettings(source=str(mistakes), limit=limit)
        artifact = Artifact(out, self._parts(source, settings, model.fingerprint, gate.fingerprint))
        self._run(
            "analyses",
            artifact,
            lambda: count(first(read_rows(mistakes, Mistake), limit)),
            lambda progress: analyze(
                first(read_rows(mistakes, Mistake), limit),
                artifact,
                model,
                gate,
                guides("analyze", settings.guides),
                settings.attempts,
                sampling(settings),
                self.seed,
                progress,
            ),
            lambda: {"yield": analysis_yield(read_rows(artifact.part, Analysis), settings.guides)},
        )
        return _passed(artifact, "analysis", "analyze")

    def compose(
        self,
        method: Method,
        instructions: DataSettings,
        benign: DataSettings | None,
        analyses: Path | None,
        out: Path,
        settings: ComposeSettings,
    ) -> dict[str, int]:
        """Writes samples and returns how many there are of each kind."""
        if not method.kinds:
            raise InputError(f"method {method.name!r} is the model as it is: there is nothing to compose")
        if "analysis" in method.kinds and analyses is None:
            raise InputError(f"method {method.name!r} needs analyses; make them with `amends analyze`, name --analyses")
        inputs = [*source_files(instructions.source), *(source_files(benign.source) if benign else [])]
        inputs += [analyses] if analyses and "analysis" in method.kinds else []
        for path in inputs:
            if not path.exists():
                raise InputError(f"{path}: no such file")
        shares = settings.model_dump()
        artifact = Artifact(
            out,
            {
                "settings": {"method": method.name, "shares": {kind: shares[kind] for kind in method.kinds}},
                "sets": [rows.model_dump(exclude={"source"}) for rows in (instructions, benign) if rows],
                "inputs": {str(number): file_digest(path) for number, path in enumerate(inputs)},
                "templates": templates_fingerprint(),
            },
        )
        self._run(
            f"{method.name}: samples",
            artifact,
            lambda: None,
            lambda progress: compose(
                artifact,
                method.kinds,
                rows_of(instructions),
                rows_of(benign) if benign else [],
                read_rows(analyses, Analysis) if analyses and "analysis" in method.kinds else [],
                shares,
                progress,
            ),
        )
        return dict(artifact.read()["kinds"])

    def train(self, name: str, samples: Path, out: Path, model: LocalModel, settings: TrainSettings) -> dict[str, Any]:
        """Writes an adapter or model directory and returns the training's facts: tokens, steps, the loss curve."""
        from amends.training.sft import train_sft

        rows = DataSettings(source=str(samples))
        manifest = Manifest(out, {**self._parts(rows, settings, model.fingerprint, None)})
        if self._is_finished(name, manifest):
            return dict(manifest.read()["facts"])
        part = out.with_name(out.name + ".part")
        if out.exists() and not manifest.read() and not part.exists():
            raise StoreError(
                f"{out}: exists and was not written by amends (no {manifest.manifest_path.name} beside it), and would be "
                "overwritten; move it away or choose another output"
            )
        model.release()
        began = time.monotonic()
        steps = settings.steps(count(read_rows(samples, Sample)))
        with _held(out):
            with self.reporter.stage(name, steps, "steps") as progress:
                facts = train_sft(
                    model.name,
                    read_rows(samples, Sample),
                    out,
                    settings,
                    derive_seed(self.seed, "train"),
                    manifest.fingerprint,
                    progress,
                )
            manifest.write("finished", facts=facts)
            shutil.rmtree(part, ignore_errors=True)  # not before the manifest: the part says that the output is ours
        self.seconds[name] = time.monotonic() - began
        return facts

    def respond(
        self, name: str, prompts: DataSettings, out: Path, model: LocalModel, guided: bool, settings: RespondSettings
    ) -> None:
        """Writes a system's responses to a set of prompts."""
        artifact = Artifact(out, {**self._parts(prompts, settings, model.fingerprint, None), "guided": guided})
        self._run(
            name,
            artifact,
            lambda: count_rows(prompts),
            lambda progress: respond(
                rows_of(prompts), artifact, model, reminder(settings, guided), sampling(settings), self.seed, progress
            ),
        )

    def reference(
        self, name: str, rows: DataSettings, out: Path, model: LocalModel, guided: bool, settings: RespondSettings
    ) -> None:
        """Writes a system's losses on reference answers."""
        artifact = Artifact(out, {**self._parts(rows, settings, model.fingerprint, None), "guided": guided})
        self._run(
            name,
            artifact,
            lambda: count_rows(rows),
            lambda progress: reference_losses(rows_of(rows), artifact, model, reminder(settings, guided), progress),
        )

    def judge(self, name: str, responses: Path, out: Path, judge: Judge, limit: int | None = None) -> None:
        """Writes verdicts on responses."""
        source = DataSettings(source=str(responses), limit=limit)
        artifact = Artifact(out, {"judge": judge.fingerprint, "limit": limit, "inputs": _digests(source)})
        self._run(
            name,
            artifact,
            lambda: count(first(read_rows(responses, Response), limit)),
            lambda progress: judge_responses(first(read_rows(responses, Response), limit), artifact, judge, progress),
        )

    def agreement(self, mistakes: Path, out: Path, judge: Judge, gate: Judge) -> None:
        """Writes how far the judge that evaluates and the gate agree on the mistakes."""
        from amends.judges.agreement import agreement

        parts = {"judge": judge.fingerprint, "gate": gate.fingerprint, "inputs": file_digest(mistakes)}
        manifest = Manifest(out, parts)
        if self._is_finished("judges' agreement", manifest):
            return
        with self.reporter.stage("judges' agreement", None):
            write_json(out, agreement(mistakes, judge, gate))
        manifest.write("finished")

    def _parts(self, rows: DataSettings, settings: Any, model: str, gate: str | None) -> dict[str, Any]:
        return {
            "settings": settings.model_dump(mode="json"),
            "seed": self.seed,
            "rows": {"limit": rows.limit, "columns": rows.columns, "split": rows.split, "once": rows.distinct_prompts},
            "inputs": _digests(rows),
            "templates": templates_fingerprint(),
            "model": model,
            "gate": gate,
        }

    def _run(
        self,
        name: str,
        artifact: Artifact,
        total: Callable[[], int | None],
        work: Callable[[ProgressCallback], object],
        facts: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        if self._is_finished(name, artifact):
            return
        began = time.monotonic()
        rows = total()  # refuses bad rows before anything is written, a lock's directory included
        with _held(artifact.path):
            try:
                with self.reporter.stage(name, rows) as progress:
                    work(progress)
            except BaseException:
                artifact.discard_if_empty()
                raise
            if not artifact.is_finished():
                artifact.finish(**facts())
        self.seconds[name] = time.monotonic() - began

    def _is_finished(self, name: str, manifest: Manifest) -> bool:
        if manifest.is_finished():
            self.reporter.say(f"{name}: finished, skipped")
            return True
        if changed := manifest.changed_parts():
            self.reporter.say(f"{name}: made anew, since its {' and '.join(changed)} changed")
        return False


def _held(out: Path) -> AbstractContextManager[None]:
    return locked(out.with_name(f".{out.name}.lock"), out)


def rows_of(settings: DataSettings) -> Iterator[Instruction]:
    """The rows of a set, streamed."""
    return load_instructions(
        settings.source, settings.columns, settings.split, settings.limit, settings.distinct_prompts
    )


def sampling(settings: Any) -> Sampling:
    """What a stage's settings say of sampling."""
    return Sampling(settings.max_new_tokens, settings.temperature, settings.top_p)


def reminder(settings: RespondSettings, guided: bool) -> Any:
    """The reminder of guided inference, or None."""
    return guide("respond", settings.guide) if guided else None


def first(rows: Iterator[Any], limit: int | None) -> Iterator[Any]:
    """The first rows, or all of them."""
    from itertools import islice

    return rows if limit is None else islice(rows, limit)


def count_rows(settings: DataSettings) -> int | None:
    """Rows of a local set, all of them read, so that a bad one is refused before a model loads; no hub set is read."""
    return count(rows_of(settings)) if source_files(settings.source) else settings.limit


def count(rows: Iterable[Any]) -> int:
    """How many rows an iterator gives."""
    return sum(1 for _ in rows)


def _digests(rows: DataSettings) -> dict[str, str]:
    return {path.name: file_digest(path) for path in source_files(rows.source) if path.is_file()}


def _passed(artifact: Artifact, what: str, section: str) -> dict[str, Any]:
    facts = dict(artifact.read()["yield"])
    if facts["passed"] == 0:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in facts["reasons"].items()) or "no rows"
        raise YieldError(
            f"{artifact.path}: no {what} passed its gate: {reasons}; try other {section} guides or more attempts"
        )
    return facts
