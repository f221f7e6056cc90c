"""A single step over rows in memory: what it refuses before it begins, as over files, and what it gives back."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

from amends.config.methods import METHODS, shares_of
from amends.data.memory import CALLED, Frame, is_table, raw_rows
from amends.data.rows import of_kind as of_record
from amends.data.rows import read_rows, validate_rows
from amends.data.settings import DataSettings
from amends.data.sources import check_disjoint, given_instructions, load_instructions
from amends.errors import InputError
from amends.evaluation.chosen import SETS
from amends.evaluation.judge import judge as give_verdicts
from amends.evaluation.respond import RespondSettings, RespondTask, answering_guide, drawn
from amends.evaluation.respond import respond as give_responses
from amends.judges.base import Judge
from amends.models.base import Model
from amends.models.hf import LocalModel
from amends.models.load import with_weights
from amends.pipeline.single_steps import refuse_harmful_chosen, train_file
from amends.pipeline.steps import needed_sets, refuse_no_yield
from amends.progress import Reporter, observed
from amends.prompts import Language
from amends.prompts.fitting import check_guides
from amends.prompts.unread import refuse_unread
from amends.records import Answer, Instruction, Made, Mistake, PromptRecord, Record, Response, Sample
from amends.reporting.notebook_rows import MadeRows, Past, Rows, Samples, Verdicts
from amends.stages.attempts import Task
from amends.stages.base import STAGES, row_of
from amends.stages.chunks import of_kind
from amends.stages.yields import stage_yield
from amends.storage.files import write_atomically
from amends.training.compose import ComposeSettings
from amends.training.compose import compose as give_samples
from amends.training.settings import TrainSettings

RecordOf = TypeVar("RecordOf", bound=Record)
Given = str | Path | Iterable[Record] | Iterable[Mapping[str, object]] | Frame
"""Rows, wherever they are: a file by its name, records, mappings, a `datasets.Dataset` or a pandas frame."""


@dataclass(frozen=True, repr=False, eq=False)
class Asked:
    """Who is asked, and what it was trained on.

    Attributes:
        model: what generates.
        past: of the samples that it was trained on in this process.
    """

    model: Model
    past: Past = field(default_factory=Past)

    @property
    def name(self) -> str:
        """Its name, or the directory of its adapter."""
        return str(self.model.adapter or self.model.title)


def rows_given(given: Given, kind: type[RecordOf], settings: DataSettings | None = None) -> Rows[RecordOf]:
    """Rows of one kind, by the same layouts and checks from memory and from a file.

    Raises InputError for a row that cannot be used, by its file and line or by its number.
    """
    if isinstance(given, Rows):
        return given
    name = str(given) if isinstance(given, str | Path) else CALLED
    settings = settings or DataSettings(source=name)
    if kind is Instruction:
        found: Iterable[Any] = (
            load_instructions(settings) if isinstance(given, str | Path) else given_instructions(given, settings)
        )
    elif isinstance(given, str | Path):
        found = read_rows(Path(given), kind)
    else:
        if not is_table(given):
            records: list[Any] = list(cast(Iterable[Any], given))
            if records and all(isinstance(row, Record) for row in records):
                return Rows(tuple(records), name)
            given = records
        found = validate_rows(raw_rows(given), kind, name, lambda row: of_record(row, kind))
    return Rows(tuple(found), name)


def make(
    stage: str,
    given: Given,
    asked: Asked,
    gate: Judge,
    settings: Any,
    seed: int,
    language: Language,
    reporter: Reporter,
) -> MadeRows[Any]:
    """What a stage makes of rows. Raises as its command does."""
    one = STAGES[stage]
    rows: Rows[Any] = rows_given(given, one.takes)
    refuse_unread((row.prompt for row in of_kind(stage, rows, one.takes)), language, rows.name)
    guides = one.guides(settings, language)
    check_guides({f"{stage}: guides": (guides, asked.model)})
    one.refuse_no_origin(rows, rows.name, settings)
    task = Task(asked.model, gate, guides, settings, seed, language)
    with _shown(one.writes, len(rows) * one.times(settings), gate, language, reporter):
        made: tuple[Made, ...] = tuple(one.run(rows, task))
    counted = stage_yield(made, [guide.name for guide in guides], one.varies(settings))
    refuse_no_yield(counted, asked.name, one)
    return MadeRows(made, asked.name, rows.past | asked.past | Past(gates=frozenset([gate.fingerprint])))


def compose(
    method: str,
    given: Mapping[str, Given | None],
    gate: Judge,
    settings: ComposeSettings,
    trust_chosen: bool,
    language: Language,
    reporter: Reporter,
) -> Samples:
    """The samples of a method. Raises as its command does."""
    row = METHODS[method]
    shares = shares_of(settings.model_dump(), with_benign=True)
    there = {name: one for name, one in given.items() if one is not None}
    needed = needed_sets(row, shares, there)
    sets: dict[str, Rows[Any]] = {name: rows_given(one, row_of(name)) for name, one in there.items() if name in needed}
    for name, rows in sets.items():
        prompts = [one.prompt for one in of_kind("compose", rows, row_of(name))]
        if name != "benign":  # which no guide was near
            refuse_unread(prompts, language, rows.name)
    looked = {name: rows for name, rows in sets.items() if name in SETS}
    if not trust_chosen:
        sources = {name: rows.name for name, rows in looked.items()}
        refuse_harmful_chosen(looked, sources, gate, reporter, "trust_chosen=True")
    with reporter.stage(f"{method}: samples", None) as progress, observed(progress):
        samples = tuple(give_samples(row.kinds, sets, shares, language))
    seen = (PromptRecord(id=one.id, prompt=one.prompt) for rows in sets.values() for one in rows)
    past = Past(instructions=tuple(seen))
    for rows in sets.values():
        past |= rows.past
    return Samples(samples, method, past, row.trainer)


def train(
    asked: Asked,
    given: Given,
    out: Path,
    trainer: str | None,
    settings: TrainSettings,
    seed: int,
    language: Language,
    reporter: Reporter,
    overwrite: bool,
) -> Asked:
    """The model as it is after a training, whose result is in `out`. Raises as the command does."""
    model = with_weights(asked.model)
    samples = given if isinstance(given, Samples) else None
    kind = trainer or (samples.trainer if samples else "sft")
    model.release()
    with TemporaryDirectory(prefix="amends-") as directory:
        path = Path(given) if isinstance(given, str | Path) else Path(directory) / "samples.jsonl"
        if not isinstance(given, str | Path):
            write_atomically(path, Rows(tuple(of_kind("train", rows_given(given, Sample), Sample))).lines())
        train_file(
            path,
            out,
            model.name,
            model.source.system_prompt,
            kind,
            model.adapter,
            settings,
            seed,
            reporter,
            language,
            overwrite,
        )
    out = out.absolute()  # a notebook may change its directory before the weights load
    full, told = settings.adapter == "full", model.source.system_prompt
    trained = LocalModel(str(out), system_prompt=told) if full else LocalModel(model.name, out, system_prompt=told)
    return Asked(trained, asked.past | (samples.past if samples else Past()))


def respond(
    asked: Asked,
    given: Given,
    guided: bool,
    settings: RespondSettings,
    seed: int,
    language: Language,
    reporter: Reporter,
) -> Rows[Response]:
    """A system's responses. Raises as the command does, and InputError for prompts that it was trained on here."""
    if settings.guide != RespondSettings().guide and not guided:
        raise InputError("guide names the reminder of guided inference; add guided=True, or leave it out")
    prompts = rows_given(given, Instruction)
    instructions = list(of_kind("respond", prompts, Instruction))
    if guided:
        refuse_unread((row.prompt for row in instructions), language, prompts.name)
    check_disjoint(asked.past.instructions, ((prompts.name, row) for row in instructions))
    guide = answering_guide(settings, guided, language)
    check_guides({"guided": ([guide], asked.model)})
    for remark in asked.model.remarks():
        reporter.say(remark)
    task = RespondTask(asked.model, guide, settings.sampling(), seed)
    with reporter.stage("responses", settings.draws * len(prompts)) as progress, observed(progress):
        name = f"{asked.name}, guided" if guided else asked.name
        return Rows(tuple(give_responses(drawn(lambda: prompts, settings.draws), task)), name, asked.past)


def judge(given: Given, judge: Judge, language: Language, reporter: Reporter) -> Verdicts:
    """Verdicts on responses. Raises as the command does, and InputError where the judge gated the training."""
    responses: Rows[Any] = rows_given(given, Response)
    if judge.fingerprint in responses.past.gates:
        raise InputError(
            f"{responses.name}: judge {judge.name} was the gate of what this system was trained on, and cannot "
            "judge it; name another judge"
        )
    rows: Iterable[Response | Mistake | Answer] = responses
    with _shown("verdicts", len(responses), judge, language, reporter):
        return Verdicts(tuple(give_verdicts(rows, judge)), responses.name, responses.past, judge.fingerprint)


@contextmanager
def _shown(name: str, total: int, judge: Judge, language: Language, reporter: Reporter) -> Iterator[None]:
    """Shows the progress of what a judge takes part in, and says what is to be said of the judge."""
    for remark in judge.remarks(language):
        reporter.say(remark)
    judge.check()
    try:
        with reporter.stage(name, total) as progress, observed(progress):
            yield
    finally:
        if unread := judge.unread():
            reporter.say(f"{name}: {unread}")
