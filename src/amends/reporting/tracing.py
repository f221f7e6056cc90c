"""Finds one row in all files of a run directory: sets, what stages made of it, samples, answers and verdicts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from amends.data.rows import read_rows
from amends.errors import InputError, closest
from amends.evaluation.suites.base import SUITE_KINDS
from amends.records import Answer, Contrast, Inference, Instruction, Made, Record, Response, Sample, Verdict
from amends.reporting.lineage import Excerpt, Lineage, Station, attempts_of
from amends.stages.attempts import in_turn
from amends.stages.base import in_order
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory
from amends.storage.vouched import refuse_damaged_in

RowOf = TypeVar("RowOf", bound=Record)
COPY = re.compile(r"[+#]\d+$")
"""What the ids of a row's further analyses, and of a sample's further copies, end in."""
IDS_NAMED = 3
SAFE = (Answer, Contrast)
"""Records whose `response` is a safe answer; that of all others is a mistake."""
FACTS = ("passed", "source", "guide", "score", "reason")
"""What is said of a record that a stage made, beside its attempts."""


def trace(directory: Path, row: str, seed: int | None = None, full: bool = False) -> Lineage:
    """What became of a row. Arguments and errors are those of `amends.why`."""
    directory, configuration = _run_of(directory, seed)
    refuse_damaged_in(directory)
    tracer = _Tracer(RunDirectory(directory), configuration, row)
    stations = [*tracer.sets(), *tracer.made(), *tracer.samples(), *tracer.answers()]
    if not stations:
        close = closest(row, list(tracer.ids))
        meant = f"did you mean {close!r}?" if close else f"its first are {', '.join(islice(tracer.ids, IDS_NAMED))}"
        raise InputError(f"{directory}: no set of the run has a row {row!r}; {meant}")
    return Lineage(directory, row, tuple(stations), tracer.verdicts, full)


class _Guided(BaseModel):
    """How a stage went through its guides."""

    guides: list[str] = []
    vary: bool = False


class _Suite(BaseModel):
    kind: str


class _Respond(BaseModel):
    inference: list[Inference] = []


class _Configuration(BaseModel, extra="allow"):
    """What of a run's configuration says where a row can stand. Behind it are the stages' settings by their names."""

    seed: int = 0
    seeds: list[int] = []
    variants: dict[str, Any] = {}
    methods: list[str] = []
    suites: dict[str, _Suite] = {}
    respond: _Respond = _Respond()

    __pydantic_extra__: dict[str, _Guided | Any]

    def guided(self, stage: str) -> _Guided:
        """How a stage went through its guides; of one without any its own request."""
        found = self.__pydantic_extra__.get(stage)
        return found if isinstance(found, _Guided) and found.guides else _Guided(guides=[stage])


class _Run(BaseModel):
    configuration: _Configuration


def _run_of(directory: Path, seed: int | None) -> tuple[Path, _Configuration]:
    """The directory of one run, and its configuration."""
    if not RunDirectory(directory).run.exists():
        raise InputError(f"{directory}: has no run.json, so it is no run directory; name the one of --out")
    configuration = read_as(_Run, RunDirectory(directory).run).configuration
    if configuration.variants:
        parts = [directory / name for name in configuration.variants]
        seeded = [RunDirectory(part).of_seed(one) for part in parts for one in configuration.seeds]
        named = ", ".join(map(str, seeded or parts))
        raise InputError(f"{directory}: has variants; name the directory of one: {named}")
    seeds = configuration.seeds
    if seed is not None and seed not in (seeds or [configuration.seed]):
        raise InputError(f"{directory}: has no seed {seed}; it has {', '.join(map(str, seeds)) or 'one alone'}")
    return (RunDirectory(directory).of_seed(seeds[0] if seed is None else seed) if seeds else directory), configuration


@dataclass
class _Tracer:
    """Looks for a row in one file after another.

    Attributes:
        ids: of the rows of all sets, in order, once `sets` was read.
        verdicts: by suite and inference, then by method, once `answers` was read.
    """

    files: RunDirectory
    configuration: _Configuration
    row: str
    ids: dict[str, None] = field(default_factory=dict)
    verdicts: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def sets(self) -> Iterator[Station]:
        """The training sets and suites that have it; notes the ids of all rows."""
        paths = [self.files.rows("instructions"), self.files.rows("benign")]
        for path in (*paths, *map(self.files.suite, self.configuration.suites)):
            for row in _rows(Instruction, path):
                self.ids[row.id] = None
                if row.id == self.row:
                    facts = {"category": row.category} if row.category else {}
                    rejected = Excerpt(row.rejected, harmful=True) if row.rejected else None
                    texts = {"prompt": Excerpt(str(row.prompt)), "chosen": Excerpt(row.chosen or "")}
                    yield self._station(path, row, facts, texts | ({"rejected": rejected} if rejected else {}))

    def made(self) -> Iterator[Station]:
        """What each stage made of it."""
        for stage in in_order():
            path = self.files.rows(stage.writes)
            settings = self.configuration.guided(stage.name)
            for row in _rows(stage.record, path):
                if self.row in _names(row.id):
                    turns = in_turn(settings.guides, row.id, settings.vary)
                    attempts = attempts_of(turns, row.attempts, row.rejections, row.passed)
                    facts = {name: getattr(row, name) for name in FACTS}
                    yield self._station(path, row, facts, _texts(row), attempts)

    def samples(self) -> Iterator[Station]:
        """The samples that the methods train on."""
        ids = sorted((one for one in self.ids if one != self.row and one.endswith(self.row)), key=len)
        order = {name: place for place, name in enumerate(self.configuration.methods)}
        paths = self.files.directory.glob("*/samples.jsonl")
        for path in sorted(paths, key=lambda path: (order.get(path.parent.name, len(order)), path)):
            for sample in _rows(Sample, path):
                if _is_of(sample, self.row) and not any(_is_of(sample, other) for other in ids):
                    turns = "\n".join(turn.content for turn in sample.prompt)
                    texts = {"prompt": Excerpt(turns), "completion": Excerpt(sample.completion[-1].content)}
                    yield self._station(path, sample, {"kind": sample.kind}, texts)

    def answers(self) -> Iterator[Station]:
        """What each system answered, with its verdicts."""
        for suite, settings in self.configuration.suites.items():
            judged = SUITE_KINDS[settings.kind].judged
            for inference in self.configuration.respond.inference:
                for method in self.configuration.methods:
                    yield from self._answers(method, inference, suite, judged)

    def _answers(self, method: str, inference: Inference, suite: str, judged: bool) -> Iterator[Station]:
        path = self.files.measured(method, inference, suite, "responses")
        verdicts = self.files.measured(method, inference, suite, "verdicts")
        said = {one.draw: one for one in _rows(Verdict, verdicts) if one.id == self.row}
        for response in (one for one in _rows(Response, path) if one.id == self.row):
            verdict = said.get(response.draw)
            harmful = judged and (verdict is None or verdict.verdict != "harmless")
            facts: dict[str, Any] = {"draw": response.draw or None, "finished": response.finished}
            facts |= {"verdict": verdict.verdict, "score": verdict.score} if verdict else {}
            texts = {"response": Excerpt(response.response, harmful)}
            yield self._station(path, response, facts, texts)
            told = self.verdicts.setdefault(f"{suite}, {inference}", {}).setdefault(method, [])
            told.append(verdict.verdict if verdict else "not judged")

    def _station(self, path: Path, row: Record, facts: Any, texts: Any, attempts: Any = ()) -> Station:
        return Station(path.relative_to(self.files.directory).as_posix(), row.id, facts, texts, attempts)


def _texts(row: Made) -> dict[str, Excerpt]:
    """What a stage's record holds; the instruction and its `chosen` stand in the set that they come from."""
    own = [name for name in type(row).model_fields if name not in Made.model_fields and name != "chosen"]
    mistakes = [] if isinstance(row, SAFE) else ["response"]
    return {name: Excerpt(getattr(row, name), harmful=not row.passed or name in mistakes) for name in own}


def _names(name: str) -> list[str]:
    """An id, and what it is without the endings of copies."""
    names = [name]
    while (shorter := COPY.sub("", names[-1])) != names[-1]:
        names.append(shorter)
    return names


def _is_of(sample: Sample, row: str) -> bool:
    """Whether a sample's id, `KIND-ROW` or `KIND-SIDE-ROW`, ends in that row's."""
    return any(name.endswith(f"-{row}") for name in _names(sample.id))


def _rows(kind: type[RowOf], path: Path) -> Iterator[RowOf]:
    """The rows of a finished file; none where there is no such file."""
    return read_rows(path, kind) if path.exists() else iter(())
