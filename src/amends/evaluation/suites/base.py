"""What a kind of suites is, and the registry of them: what is asked, how that is measured, where it is shown."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from pydantic import Field

from amends.data.settings import DataSettings
from amends.errors import InputError
from amends.prompts import Language
from amends.records import Inference, Instruction
from amends.registry import NameIn, Registry
from amends.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from amends.evaluation.measurement import Measurement


@dataclass(frozen=True)
class Measured:
    """A system as it is measured on a suite.

    Attributes:
        model: the system.
        start: the model that its training began from; itself where nothing was trained.
        asked: what stands around its prompts.
        sampling, draws: how answers are drawn, and how many to each prompt.
    """

    model: Any
    start: Any
    asked: Any
    sampling: Any
    draws: int


class Steps(Protocol):
    """What a pipeline can do with a suite's prompts and a system."""

    def respond(
        self, name: str, prompts: DataSettings, out: Path, model: Any, asked: Any, sampling: Any, draws: int
    ) -> None:
        """Writes the system's answers, so many to each prompt."""

    def reference(self, name: str, rows: DataSettings, out: Path, model: Any, asked: Any, start: Any) -> None:
        """Writes the system's losses on reference answers, and its divergence from the start there."""

    def own_verdicts(self, name: str, rows: DataSettings, out: Path, model: Any, asked: Any) -> None:
        """Writes the system's own verdicts on two answers to each prompt."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SuiteKind(ABC):
    """A kind of suites. `Answers` and `References` (suites.answers, suites.references) say how one is measured.

    Attributes:
        name: the `kind` of a suite in a configuration.
        asks_harm: whether its prompts ask for harm; prompts that are said not to suit it are refused. None: all suit.
        headlines: the metrics that the main table shows on it.
        primaries: by what a primary comparison on it can be made; the first is the default.
        tells_safety: whether its harmless rate is set against its price, and judges are compared on its answers.
        prices: of metrics that tell what safety costs, the title of the axis; {suite} stands for the suite's name.
        by_category: whether the success of attacks is shown for each category.
        category_metric: the metric that a table shows for each category of prompts, if any.
        needs: columns that some row of a suite must have, and what for.
    """

    name: str
    asks_harm: bool | None = None
    headlines: tuple[str, ...] = ()
    primaries: tuple[str, ...] = ()
    tells_safety: bool = False
    prices: Mapping[str, str] = field(default_factory=dict)
    by_category: bool = False
    category_metric: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)

    written: ClassVar[str]
    """What of a system is written: the ending of the file's name."""
    judged: ClassVar[bool]
    """Whether verdicts are given on what is written."""
    generates: ClassVar[bool] = False
    """Whether answers are generated; else those that are there are read, two of each prompt or by two models."""
    reads_with_start: ClassVar[bool] = False
    """Whether the model that training began from is in memory with the system."""
    said: ClassVar[str]
    """What a system gives to a prompt."""
    by_losses: ClassVar[bool] = False
    """Whether a system has to say how likely it finds given answers."""

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return f"its headlines are {', '.join(self.headlines)}" if self.headlines else "it has no headline of its own"

    def check(self, rows: Iterable[Instruction], source: str) -> None:
        """Raises InputError where no row of a suite has what it is measured by."""
        lacking = set(self.needs)
        for row in rows if lacking else ():
            lacking -= {column for column in lacking if getattr(row, column)}
        if lacking:
            column = min(lacking)
            raise InputError(f"{source}: no row has `{column}`, {self.needs[column]}")

    @abstractmethod
    def ask(self, steps: Steps, name: str, prompts: DataSettings, out: Path, system: Measured) -> None:
        """Has what is `written` made of a system; `name` is of the step."""

    @abstractmethod
    def values(self, path: Path) -> Iterator[tuple[str, str | float]]:
        """By id, what a system gave: of two systems nothing was told apart where all of it is equal."""

    @abstractmethod
    def measure(
        self, files: RunDirectory, method: str, inference: Inference, suite: str, language: Language
    ) -> "Measurement":
        """The measurement, from the finished files of a run."""


SUITE_KINDS: Registry[SuiteKind] = Registry(
    "suite kind", "amends.evaluation.suites", "amends.suite_kinds", "amends.register_suite_kind(Answers(...))"
)
SuiteKindName = Annotated[str, NameIn(SUITE_KINDS)]
"""The name of a kind of suites, checked when it is read."""


def register_suite_kind(kind: Any) -> Any:
    """Adds a kind of suites, which configurations can then name. Raises InputError where its name is taken.

    Example:
        register_suite_kind(Answers(name="medical", asks_harm=False, headlines=("refusal_rate", "helpful_score")))
    """
    if not isinstance(kind, SuiteKind):
        raise InputError(
            f"{kind!r} is no kind of suites; make one with Answers or References (amends.evaluation.suites)"
        )
    return SUITE_KINDS.register(kind.name, kind)


class SuiteSettings(DataSettings):
    """A named set of evaluation prompts. Its kind says what is measured on it."""

    kind: SuiteKindName = Field(
        description="What is measured: red-team and attacks harmless answers, over-refusal refusals of safe prompts. "
        "Of benign it is the loss on `chosen`, and the divergence from the start. Of instructions it is whether they "
        "are followed, of verdict whether the system itself tells `rejected` from `chosen`."
    )

    @property
    def is_for(self) -> tuple[str, bool] | None:
        """Its kind, and whether that asks for harm; None where all prompts suit it."""
        asks_harm = SUITE_KINDS[self.kind].asks_harm
        return None if asks_harm is None else (self.kind, asks_harm)
