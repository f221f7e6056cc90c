"""Each stage as a step over files: what it is made from, whether it is finished, its progress, its facts.

A run orders these steps; the command line calls them one by one.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from amends.config.methods import Method, shares_of
from amends.data.identity import identity
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import InputError, SampleError, YieldError
from amends.evaluation.own_verdicts import OwnVerdictTask, with_two_answers
from amends.evaluation.reference import ReferenceTask, answered
from amends.evaluation.respond import RespondTask, drawn
from amends.judges.base import Judge
from amends.models.base import Model, Sampling
from amends.pipeline.driver import copy, fill
from amends.pipeline.judging import Judging
from amends.pipeline.resuming import model_name, said
from amends.pipeline.sets import SetRows, count, count_rows, set_rows
from amends.pipeline.training import Training
from amends.pipeline.versions import CODE
from amends.prompts import Guide
from amends.records import Sample
from amends.stages.attempts import Task
from amends.stages.base import STAGES, Stage, comes_from, made_by
from amends.stages.yields import stage_yield
from amends.storage.artifacts import Artifact
from amends.training.compose import ComposeSettings, compose
from amends.training.sample_kinds.base import SAMPLE_KINDS


@dataclass
class Steps(Training, Judging):
    """The steps; which of them have something to do is `Resuming`'s."""

    def data(self, name: str, settings: DataSettings, out: Path) -> None:
        """Copies a set of rows into our format, so that everything after reads one format."""
        parts = {"code": CODE["data"]} | identity(settings, out)
        artifact = Artifact(out, parts, "instructions", said(parts, inputs={name: self.place(settings.source)}))
        self._run(
            name,
            artifact,
            lambda: settings.limit,
            lambda: copy(artifact, load_instructions(settings)),
        )

    def make(
        self,
        stage: str,
        rows: DataSettings,
        out: Path,
        model: Model,
        gate: Judge,
        settings: Any,
        check: Callable[[], None] = lambda: None,
        called: str = "",
    ) -> dict[str, Any]:
        """Runs a stage by its name, and returns its yield. `check` is called before anything is written.

        `called` is what the step is called where what it writes would not tell it from another.

        Raises:
            InputError: the data set's own texts are wanted, and it has none.
            YieldError: nothing passed the gate.
        """
        one, model = STAGES[stage], self.executor.answering(model)
        if self.waits(one.writes, out, *self._made(rows)):
            return {}
        one.check_origin(rows, settings)
        guides = one.guides(settings, self.language)
        parts = identity(rows, out) | {
            "code": CODE["make"],
            "settings": settings.model_dump(mode="json"),
            "seed": self.seed,
            "guides": [guide.model_dump() for guide in guides],
            "templates": [*map(self.language.template, one.templates), *self.other_patterns()],
            "leak test": self.language.fingerprint() if one.tests_leaks else None,
            "model": model.fingerprint,
            "gate": gate.fingerprint,
        }
        told = said(
            parts,
            inputs={one.reads: self.place(rows.source)},
            guides={"guides": [guide.name for guide in guides]},
            templates=self.spoken(),
            model=model_name(model),
            gate={"gate": gate.name} | self.spoken(),
        )
        artifact = Artifact(out, parts, one.writes, told)

        def total() -> int | None:
            read = count_rows(rows, one.reads)
            check()
            return None if read is None else one.times(settings) * read

        def work() -> dict[str, Any]:
            task = Task(model, gate, guides, settings, self.seed, self.language)
            fill(artifact, one.rows(set_rows(one.reads, rows), settings), one.work(task), self.executor)
            records = set_rows(one.writes, DataSettings(source=str(artifact.part)))
            return {"yield": stage_yield(records, [guide.name for guide in guides], one.varies(settings))}

        self._run(called or one.writes, artifact, total, work, gate)
        return {} if self.outlook else _passed(artifact, one)

    def compose(
        self,
        method: Method,
        sets: Mapping[str, DataSettings],
        out: Path,
        settings: ComposeSettings,
        check: Callable[[Mapping[str, DataSettings]], None] = lambda sets: None,
    ) -> dict[str, int]:
        """Writes samples and returns how many there are of each kind.

        `check` sees the sets that are used, before anything is written; samples that are finished are not checked
        again.
        """
        shares = shares_of(settings.model_dump(), with_benign=True)
        needed = needed_sets(method, shares, sets)
        heeded = sorted({name for kind in method.kinds for name in (kind, *SAMPLE_KINDS[kind].heeds)})
        used = {name: sets[name] for name in needed if name in sets}
        if self.waits(f"{method.name}: samples", out, *(path for rows in used.values() for path in self._made(rows))):
            return {}
        parts = {
            "code": CODE["compose"],
            "settings": {"method": method.name, "shares": {kind: shares[kind] for kind in heeded}},
            "inputs": {name: identity(rows, out) for name, rows in used.items()},
            "templates": self.language.fingerprint(),
        }
        sources = {
            name: {name: self.place(rows.source)} | rows.model_dump(mode="json", exclude={"source", "kind"})
            for name, rows in used.items()
        }
        artifact = Artifact(out, parts, "samples", said(parts, inputs=sources, templates=self.spoken()))

        def work() -> dict[str, Any]:
            counts = dict.fromkeys(method.kinds, 0)

            def counted() -> Iterator[Sample]:
                read = {name: SetRows(name, rows) for name, rows in used.items()}
                for sample in compose(method.kinds, read, shares, self.language):
                    counts[sample.kind] += 1
                    yield sample

            try:
                copy(artifact, counted())
            except SampleError as error:
                raise SampleError(f"{out}: {error}") from None
            return {"rows": sum(counts.values()), "kinds": counts}

        self._run(f"{method.name}: samples", artifact, lambda: check(used), work)
        return {} if self.outlook else artifact.fact("kinds")

    def respond(
        self,
        name: str,
        prompts: DataSettings,
        out: Path,
        model: Model,
        asked: Guide,
        sampling: Sampling,
        draws: int = 1,
    ) -> None:
        """Writes a system's responses to a set of prompts, `draws` to each, with what is put around them."""
        if self.waits(name, out, *self._made(prompts)):
            return
        model = self.executor.answering(model)
        task = RespondTask(model, asked, sampling, self.seed)
        parts = {"code": CODE["respond"], "sampling": asdict(sampling), "seed": self.seed}
        parts |= {"draws": draws} if draws > 1 else {}  # one was all that there was: what it left stays finished
        artifact = self._asked(prompts, out, model, asked, parts, "responses")
        self._run(
            name,
            artifact,
            lambda: None if (rows := count_rows(prompts)) is None else draws * rows,
            lambda: fill(artifact, drawn(lambda: load_instructions(prompts), draws), task.work(), self.executor),
        )

    def reference(self, name: str, rows: DataSettings, out: Path, model: Model, asked: Guide, start: Model) -> None:
        """Writes a system's losses on reference answers, and its divergence from the start there.

        The start is freed behind it, so that the next step has the device to itself.
        """
        if self.waits(name, out, *self._made(rows)):
            return
        task = ReferenceTask(model, asked, start)
        parts = {"code": CODE["reference"], "start": start.fingerprint}
        artifact = self._asked(rows, out, model, asked, parts, "losses")
        self._run(
            name,
            artifact,
            lambda: count(answered(load_instructions(rows))),
            lambda: fill(artifact, answered(load_instructions(rows)), task.work(), self.executor),
        )
        if start is not model:
            start.release()

    def own_verdicts(self, name: str, rows: DataSettings, out: Path, model: Model, asked: Guide) -> None:
        """Writes a system's own verdicts on two answers to each prompt."""
        if self.waits(name, out, *self._made(rows)):
            return
        task = OwnVerdictTask(model, asked, self.language)
        words = [self.language.template(one) for one in ("analyze", "verdict_harmless", "verdict_harmful")]
        parts = {"code": CODE["own_verdicts"], "question": words}
        artifact = self._asked(rows, out, model, asked, parts, "own-verdicts")
        self._run(
            name,
            artifact,
            lambda: count(with_two_answers(load_instructions(rows))),
            lambda: fill(artifact, with_two_answers(load_instructions(rows)), task.work(), self.executor),
        )

    def _asked(
        self, rows: DataSettings, out: Path, model: Model, asked: Guide, parts: dict[str, Any], kind: str
    ) -> Artifact:
        parts = identity(rows, out) | {"guide": asked.model_dump(), "model": model.fingerprint} | parts
        named = model_name(model) | ({"adapter": self.place(model.adapter)} if model.adapter else {})
        told = said(
            parts,
            inputs={"prompts": self.place(rows.source)},
            guide={"guide": asked.name} | self.spoken(),
            model=named,
        )
        return Artifact(out, parts, kind, told)


def needed_sets(method: Method, shares: Mapping[str, float], given: Container[str]) -> list[str]:
    """The sets that a method's samples are made of, by name. Raises InputError where one is not among `given`."""
    if not method.kinds:
        raise InputError(f"method {method.name!r} is the model as it is: there is nothing to compose")
    needed = list(dict.fromkeys(name for kind in method.kinds if shares[kind] for name in SAMPLE_KINDS[kind].needs))
    for name in needed:
        maker = made_by(name)
        if name not in given and comes_from(name) != "benign" and not (maker and maker.optional):
            first = f"make them with `amends {maker.name}`, " if maker else ""
            raise InputError(f"method {method.name!r} needs {name}; {first}name --{name}")
    return needed


def _passed(artifact: Artifact, stage: Stage[Any, Any, Any]) -> dict[str, Any]:
    facts = artifact.fact("yield")
    refuse_no_yield(facts, str(artifact.path), stage)
    return facts


def refuse_no_yield(facts: Mapping[str, Any], where: str, stage: Stage[Any, Any, Any]) -> None:
    """Raises YieldError where nothing that a stage made passed, and it has to; `where` names its rows."""
    if stage.optional:
        return
    what = stage.record.__name__.lower()
    if facts["rows"] == 0:
        raise YieldError(f"{where}: no {what} was tried: none of the {stage.reads} read passed its gate")
    if facts["passed"] == 0:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in facts["reasons"].items())
        guides = f"other {stage.name} guides or " if stage.guided_by else ""
        raise YieldError(f"{where}: no {what} passed its gate: {reasons}; try {guides}more attempts")
