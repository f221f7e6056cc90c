"""A stage in which a model makes training data: one object in its own file, which says all that others ask of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from amends.data.settings import DataSettings
from amends.errors import InputError
from amends.prompts import Guide, GuideStage, Language
from amends.records import Instruction, Made, PromptRecord
from amends.registry import Registry
from amends.stages.attempts import Task, TrySettings
from amends.stages.chunks import Work, chunk_rows_for, of_kind

RowIn = TypeVar("RowIn", bound=PromptRecord)
RowOut = TypeVar("RowOut", bound=Made)
SettingsOf = TypeVar("SettingsOf", bound=TrySettings)


@dataclass(frozen=True)
class Stage(Generic[RowIn, RowOut, SettingsOf]):
    """One such stage.

    Attributes:
        name: of its command, and of its section in a configuration.
        reads, writes: sets of rows by their names; `takes` is a row of what it reads, `record` one of what it writes.
        settings: the class of its settings.
        process: takes a chunk of rows, the chunk's number and a task, and returns one record a row.
        guided_by: the stage whose guides the settings name; None where the stage's own template is the request.
        origin: the data set's column that `source: origin` takes in the model's place.
        templates: those that its prompts are made of.
        tests_leaks: its gate looks for the words of all guides there are.
        times: how often each row is read, by the settings; copies have ids of their own.
        varies: whether each row begins with another guide, by the settings.
        optional: that nothing passed is a finding about the model, and no reason to stop.
        begins: its prompts begin the answer themselves, whatever the guides.
    """

    name: str
    reads: str
    takes: type[RowIn]
    writes: str
    record: type[RowOut]
    settings: type[SettingsOf]
    process: Callable[[Sequence[RowIn], int, Task[SettingsOf]], list[RowOut]]
    guided_by: GuideStage | None = None
    origin: str | None = None
    templates: tuple[str, ...] = ()
    tests_leaks: bool = False
    times: Callable[[SettingsOf], int] = lambda _: 1
    varies: Callable[[SettingsOf], bool] = lambda _: False
    optional: bool = False
    begins: bool = False

    def guides(self, settings: Any, language: Language) -> list[Guide]:
        """What is put around the prompts, in turn; where the template is the whole request, one that adds nothing."""
        return language.guides(self.guided_by, settings.guides) if self.guided_by else [Guide(name=self.name)]

    def check_origin(self, rows: DataSettings, settings: Any) -> None:
        """Raises InputError where the settings want the data set's own texts, and a set of rows has none."""
        from amends.data.sources import load_instructions

        if self.origin:
            self.refuse_no_origin(load_instructions(rows), rows.source, settings)

    def refuse_no_origin(self, rows: Iterable[Any], where: str, settings: Any) -> None:
        """The same of rows, which errors call `where`."""
        column = self.origin
        if column and settings.source == "origin" and not any(getattr(row, column) for row in rows):
            raise InputError(
                f"{where}: no row has `{column}`, so there are no origin {self.writes}; map a column to it "
                f"(columns: {{{column}: NAME}} in a configuration, or --columns {column}=NAME), or set source to own"
            )

    def work(self, task: Task[SettingsOf]) -> Work[RowIn, RowOut]:
        """What is done to each chunk."""
        return Work(self.process, task, chunk_rows_for(task.model), task.gate)

    def rows(self, rows: Iterable[RowIn], settings: SettingsOf) -> Iterator[RowIn]:
        """The rows as often as the settings want each."""
        return copies(rows, self.times(settings))

    def run(self, rows: Iterable[RowIn], task: Task[SettingsOf]) -> Iterator[RowOut]:
        """The records of all rows, one chunk at a time. Raises InputError for a row of another stage."""
        return self.work(task).over(self.rows(of_kind(self.name, rows, self.takes), task.settings))


STAGES: Registry[Stage[Any, Any, Any]] = Registry(
    "stage", "amends.stages", "amends.stages", "amends.stages.base.STAGES.register(NAME, Stage(...))"
)
"""By name."""


def in_order() -> list[Stage[Any, Any, Any]]:
    """All stages in an order in which they can run: behind each those that read what it writes, longest chain first."""

    def readers(stage: Stage[Any, Any, Any]) -> list[Stage[Any, Any, Any]]:
        return [one for one in STAGES.values() if one.reads == stage.writes]

    def chain(stage: Stage[Any, Any, Any]) -> list[Stage[Any, Any, Any]]:
        return [stage, *(behind for one in readers(stage) for behind in chain(one))]

    chains = [chain(stage) for stage in STAGES.values() if made_by(stage.reads) is None]
    return [stage for found in sorted(chains, key=len, reverse=True) for stage in found]


def made_by(rows: str) -> Stage[Any, Any, Any] | None:
    """The stage that writes a set of rows; None for one that comes from outside."""
    return next((stage for stage in STAGES.values() if stage.writes == rows), None)


def comes_from(rows: str) -> str:
    """The set of the data that a set of rows is made of in the end; itself where no stage writes it."""
    maker = made_by(rows)
    return comes_from(maker.reads) if maker else rows


def row_of(rows: str) -> type[PromptRecord]:
    """The record of a set of rows by its name: what the stage that writes it makes, else an instruction."""
    maker = made_by(rows)
    return maker.record if maker else Instruction


def copies(rows: Iterable[RowIn], count: int) -> Iterator[RowIn]:
    """Every row `count` times; further copies have ids of their own, `ID+2` and so on."""
    for row in rows:
        yield row
        for number in range(2, count + 1):
            yield row.model_copy(update={"id": f"{row.id}+{number}"})
