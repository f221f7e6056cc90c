"""Each stage as a step over files: what it is made from, whether it is finished, its progress, its facts.

A run orders these steps; the command line calls them one by one.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from amends.artifacts import Artifact, Manifest, Part
from amends.config import ComposeSettings, DataSettings
from amends.data.rows import read_rows
from amends.data.sources import load_instructions
from amends.errors import InputError, StoreError, YieldError
from amends.inputs import copies, count, count_rows, identity, made_rows, paired_rows
from amends.judges.preference import PreferenceJudge
from amends.layout import Layout
from amends.locks import full_device, held
from amends.making import MADE_BY, MAKING
from amends.methods import NEEDS, Method
from amends.models.loading import find_model
from amends.models.local import LocalModel
from amends.progress import Reporter, Silent
from amends.prompts import Guide, template, templates_fingerprint
from amends.protocols import Generator, Judge, ProgressCallback, Sampling
from amends.records import Response, Trainer
from amends.stages.attempts import Task
from amends.stages.compose import SHARES_OF, compose
from amends.stages.judge import judge_pairs, judge_responses
from amends.stages.reference import reference_losses
from amends.stages.respond import respond
from amends.stages.streaming import stream
from amends.stages.yields import stage_yield
from amends.store import directory_fingerprint, file_digest, read_json, write_json
from amends.training.recipe import Recipe

CODE = {"data": 1, "make": 4, "compose": 1, "train": 2, "respond": 2, "reference": 1, "judge": 1, "agree": 1}
"""Raised by a change after which a step writes something else from the same, so that what it wrote before is made anew."""


MANY_EPOCHS = 10  # more than any fine-tuning is known to want

UNTOLD = {"save_steps", "max_length", "gradient_checkpointing"}
"""Settings of a training that change nothing of what it writes: what is refused, memory, what an interruption costs."""


@dataclass
class Steps:
    """Runs steps that are not finished.

    Args:
        seed: of all random streams.
        reporter: receives progress and news.
        root: the directory that outputs lie in; how long each step took goes to its timings.json.
        others: directories like it; what one of them has, finished and made from the same, is copied.
    """

    seed: int = 0
    reporter: Reporter = field(default_factory=Silent)
    root: Path | None = None
    others: Sequence[Path] = ()

    def data(self, name: str, settings: DataSettings, out: Path) -> None:
        """Copies a set of rows into our format, so that everything after reads one format."""
        artifact = Artifact(out, {"code": CODE["data"]} | identity(settings, out), "instructions")
        self._run(
            name,
            artifact,
            lambda: settings.limit,
            lambda progress: stream(load_instructions(settings), artifact, lambda chunk, *_: chunk, progress),
        )

    def make(
        self, stage: str, rows: DataSettings, out: Path, model: Generator, gate: Judge, settings: Any
    ) -> dict[str, Any]:
        """Runs a stage of `making.MAKING` and returns its yield.

        Raises:
            InputError: the data set's own texts are wanted, and it has none.
            YieldError: nothing passed the gate.
        """
        check_origin(stage, rows, settings)
        making = MAKING[stage]
        guides, times = making.guides(settings), getattr(settings, "per_mistake", 1)
        artifact = Artifact(
            out,
            identity(rows, out)
            | {
                "code": CODE["make"],
                "settings": settings.model_dump(mode="json"),
                "seed": self.seed,
                "guides": [guide.model_dump() for guide in guides],
                "templates": [template(name) for name in making.templates],
                "leak test": templates_fingerprint() if making.tests_leaks else None,
                "model": model.fingerprint,
                "gate": gate.fingerprint,
            },
            making.writes,
        )

        def total() -> int | None:
            read = count_rows(rows, making.reads)
            return None if read is None else times * read

        def work(progress: ProgressCallback) -> dict[str, Any]:
            given = copies(made_rows(making.reads, rows), times)
            making.work(given, artifact, Task(model, gate, guides, settings, self.seed), progress)
            made = made_rows(making.writes, DataSettings(source=str(artifact.part)))
            return {"yield": stage_yield(made, [guide.name for guide in guides])}

        self._run(making.writes, artifact, total, work)
        return _passed(artifact, making.record.__name__.lower(), stage)

    def compose(
        self, method: Method, sets: Mapping[str, DataSettings], out: Path, settings: ComposeSettings
    ) -> dict[str, int]:
        """Writes samples and returns how many there are of each kind."""
        if not method.kinds:
            raise InputError(f"method {method.name!r} is the model as it is: there is nothing to compose")
        shares = settings.model_dump()
        needed = list(dict.fromkeys(name for kind in method.kinds if shares[kind] for name in NEEDS[kind]))
        for name in needed:
            if name not in sets and name != "benign":
                made = f"make them with `amends {MADE_BY[name]}`, " if name in MADE_BY else ""
                raise InputError(f"method {method.name!r} needs {name}; {made}name --{name}")
        heeded = sorted({one for kind in method.kinds for one in SHARES_OF.get(kind, (kind,))})
        used = {name: sets[name] for name in needed if name in sets}
        artifact = Artifact(
            out,
            {
                "code": CODE["compose"],
                "settings": {"method": method.name, "shares": {kind: shares[kind] for kind in heeded}},
                "inputs": {name: identity(rows, out) for name, rows in used.items()},
                "templates": templates_fingerprint(),
            },
            "samples",
        )

        def work(progress: ProgressCallback) -> dict[str, Any]:
            read = {name: made_rows(name, rows) for name, rows in used.items()}
            counts = compose(artifact, method.kinds, read, shares, progress)
            return {"rows": sum(counts.values()), "kinds": counts}

        self._run(f"{method.name}: samples", artifact, lambda: None, work)
        return dict(artifact.read()["kinds"])

    def train(self, name: str, samples: Path, out: Path, kind: Trainer, recipe: Recipe) -> dict[str, Any]:
        """Writes an adapter or model directory and returns the training's facts: tokens, steps, the loss curve."""
        from amends.training.fit import WAYS, fit, steps_done

        way = WAYS[kind]
        manifest = Manifest(
            out,
            identity(DataSettings(source=str(samples)), out)
            | {
                "code": CODE["train"],
                "settings": recipe.train.model_dump(mode="json", exclude=UNTOLD),
                "preference": recipe.preference.model_dump(mode="json", include=set(way.told)),
                "seed": recipe.seed,
                "trainer": kind,
                "model": find_model(recipe.model, recipe.system_prompt).fingerprint(),
                "start": directory_fingerprint(recipe.start) if recipe.start else None,
            },
            "a training",
        )
        if self._is_finished(name, manifest):
            return dict(manifest.read()["facts"])
        if out.is_symlink():
            raise StoreError(f"{out}: is a link, and a training replaces its output whole; name the directory itself")
        part = Part(out, manifest.fingerprint)
        manifest.refuse_changed()
        rows = count(read_rows(samples, way.record))
        steps = None if recipe.train.max_tokens else way.steps(recipe, rows)
        self._warn_of_epochs(name, kind, recipe, rows)
        with held(out), self._timed(name, part.is_begun()):
            with self.reporter.stage(name, steps, "steps", kept=steps_done(part)) as progress, full_device(out):
                facts = fit(kind, read_rows(samples, way.record), out, recipe, manifest.fingerprint, progress)
            manifest.write("finished", facts=facts, contents=directory_fingerprint(out))
            part.discard()  # not before the manifest: the part says that the output is ours
        return facts

    def _warn_of_epochs(self, name: str, kind: Trainer, recipe: Recipe, rows: int) -> None:
        epochs = (recipe.train.max_steps or 0) * recipe.train.rows_a_step / rows
        if epochs > MANY_EPOCHS and kind != "rlhf":  # whose completions are new each time
            self.reporter.say(
                f"{name}: train.max_steps={recipe.train.max_steps} reads {rows} samples {epochs:.0f} times over, which "
                "learns them by heart; lower it, or set it to null for train.epochs"
            )

    def respond(
        self, name: str, prompts: DataSettings, out: Path, model: Generator, asked: Guide, sampling: Sampling
    ) -> None:
        """Writes a system's responses to a set of prompts with what is put around them."""
        parts = {"code": CODE["respond"], "sampling": asdict(sampling), "seed": self.seed}
        artifact = self._asked(prompts, out, model, asked, parts, "responses")
        self._run(
            name,
            artifact,
            lambda: count_rows(prompts),
            lambda progress: respond(load_instructions(prompts), artifact, model, asked, sampling, self.seed, progress),
        )

    def reference(self, name: str, rows: DataSettings, out: Path, model: LocalModel, asked: Guide) -> None:
        """Writes a system's losses on reference answers."""
        artifact = self._asked(rows, out, model, asked, {"code": CODE["reference"]}, "losses")
        self._run(
            name,
            artifact,
            lambda: count(row for row in load_instructions(rows) if row.chosen),
            lambda progress: reference_losses(load_instructions(rows), artifact, model, asked, progress),
        )

    def judge(self, name: str, responses: Path, out: Path, judge: Judge, limit: int | None = None) -> None:
        """Writes verdicts on responses."""
        source = DataSettings(source=str(responses), limit=limit)
        made_from = {"code": CODE["judge"], "judge": judge.fingerprint} | identity(source, out)
        artifact = Artifact(out, made_from, "verdicts")
        self._run(
            name,
            artifact,
            lambda: count(islice(read_rows(responses, Response), limit)),
            lambda progress: judge_responses(islice(read_rows(responses, Response), limit), artifact, judge, progress),
        )

    def prefer(self, a: Path, b: Path, out: Path, judge: PreferenceJudge, limit: int | None = None) -> None:
        """Writes which of two systems' responses a language model prefers, on the prompts (by id) that both have."""
        inputs = [identity(DataSettings(source=str(path)), out) for path in (a, b)]
        made_from = {"code": CODE["judge"], "judge": judge.fingerprint, "limit": limit, "inputs": inputs}
        artifact = Artifact(out, made_from, "preferences")
        self._run(
            "preferences",
            artifact,
            lambda: count(paired_rows(a, b, limit)),
            lambda progress: judge_pairs(paired_rows(a, b, limit), artifact, judge.prefer, progress),
        )

    def agreement(self, mistakes: Path, out: Path, judge: Judge, gate: Judge) -> dict[str, Any]:
        """Writes, and returns, how far the judge that evaluates and the gate agree on the mistakes."""
        from amends.judges.agreement import on_mistakes

        judges = {"judge": judge.fingerprint, "gate": gate.fingerprint}
        manifest = Manifest(out, {"code": CODE["agree"], "inputs": file_digest(mistakes)} | judges)
        return self._note("judges' agreement", manifest, lambda: on_mistakes(mistakes, judge, gate))

    def agreement_with_probe(self, judged: Mapping[Path, Path], out: Path, probe: Judge) -> dict[str, Any]:
        """Writes, and returns, how far the judge that evaluated agrees with the probe.

        `judged` are its verdicts by their responses.
        """
        from amends.judges.agreement import on_responses

        inputs = [file_digest(path) for pair in judged.items() for path in pair]
        manifest = Manifest(out, {"code": CODE["agree"], "judge": probe.fingerprint, "inputs": inputs})
        return self._note("agreement with the probe", manifest, lambda: on_responses(judged, probe))

    def _note(self, name: str, manifest: Manifest, facts: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Writes, and returns, facts that are found at once."""
        if not self._is_finished(name, manifest):
            with self.reporter.stage(name, None):
                found = facts()
                manifest.manifest_path.unlink(missing_ok=True)  # it must not vouch for what comes next
                write_json(manifest.path, found)
            manifest.write("finished")
        return dict(read_json(manifest.path))

    def _asked(
        self, rows: DataSettings, out: Path, model: Generator, asked: Guide, parts: dict[str, Any], kind: str
    ) -> Artifact:
        made_from = identity(rows, out) | {"guide": asked.model_dump(), "model": model.fingerprint} | parts
        return Artifact(out, made_from, kind)

    def _run(
        self,
        name: str,
        artifact: Artifact,
        total: Callable[[], int | None],
        work: Callable[[ProgressCallback], dict[str, Any] | None],
    ) -> None:
        """Does the work on an artifact that is not finished, and finishes it with the facts that the work returns."""
        if self._is_finished(name, artifact):
            return
        rows = total()  # refuses bad rows before anything is written, a lock's directory included
        with held(artifact.path), self._timed(name, artifact.is_begun()):
            try:
                with self.reporter.stage(name, rows, kept=artifact.kept_rows()) as progress:
                    facts = work(progress)
            except BaseException:
                artifact.discard_if_empty()
                raise
            artifact.finish(**facts or {})

    @contextmanager
    def _timed(self, name: str, resumed: bool) -> Iterator[None]:
        """Keeps a step's seconds; one that is skipped keeps what it took before, one that was interrupted has none."""
        began = time.monotonic()
        yield
        if self.root:
            path = Layout(self.root).timings
            before = read_json(path) if path.exists() else {}
            before.pop(name, None)
            write_json(path, before if resumed else before | {name: round(time.monotonic() - began, 2)})

    def _is_finished(self, name: str, manifest: Manifest) -> bool:
        if manifest.is_finished():
            self.reporter.say(f"{name}: finished, skipped")
            return True
        for other in self.others:
            if self.root and manifest.take(other / manifest.path.relative_to(self.root)):
                apart = [part for part in Path(os.path.relpath(other, self.root)).parts if part != os.pardir]
                self.reporter.say(f"{name}: as in {'/'.join(apart)}")
                return True
        if changed := manifest.changed_parts():
            self.reporter.say(f"{name}: made anew, since its {' and '.join(changed)} changed")
        return False


def check_origin(stage: str, rows: DataSettings, settings: Any) -> None:
    """Raises InputError where a stage wants the data set's own texts, and there are none."""
    column = MAKING[stage].origin
    if column and settings.source == "origin" and not any(getattr(row, column) for row in load_instructions(rows)):
        raise InputError(
            f"{rows.source}: no row has `{column}`, so there are no origin {MAKING[stage].writes}; map a column to it, "
            "or set source to own"
        )


def _passed(artifact: Artifact, what: str, section: str) -> dict[str, Any]:
    facts = dict(artifact.read()["yield"])
    if facts["rows"] == 0:
        raise YieldError(
            f"{artifact.path}: no {what} was tried: none of the {MAKING[section].reads} read passed its gate"
        )
    if facts["passed"] == 0:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in facts["reasons"].items())
        guides = f"other {section} guides or " if MAKING[section].guided_by else ""
        raise YieldError(f"{artifact.path}: no {what} passed its gate: {reasons}; try {guides}more attempts")
    return facts
