"""What an executor of chunks is, and the registry of them, by the name that a configuration's `executor` gives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from amends.errors import InputError
from amends.judges.base import Judge
from amends.models.base import Model
from amends.registry import NameIn, Registry
from amends.settings import Settings
from amends.settings.gathered import own_settings
from amends.stages.chunks import Done

Process = Callable[[Sequence[Any], int], Done[Any]]
"""Takes a chunk and its number, and returns what comes of it. A `Work` is one, and can be pickled."""


class Executor(ABC):
    """Works on chunks, here or elsewhere. It sees no file: who calls it reads the rows and writes the records.

    Args:
        told: what it is told in the section `executor`; its settings' defaults where that is None.

    Attributes:
        settings: the class of that. Its fields become keys of the section.

    Example:
        @amends.register_executor("here")
        class Here(amends.Executor):
            def run(self, process, chunks):
                for number, chunk in chunks:
                    yield process(chunk, number)
    """

    settings: ClassVar[type[Settings]] = Settings

    def __init__(self, told: Any = None) -> None:
        self.told: Any = told or self.settings()

    @abstractmethod
    def run(self, process: Process, chunks: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[Done[Any]]:
        """What comes of each of the numbered chunks, as the process returns it, in the order of the chunks.

        An executor that works elsewhere reports the rows of each chunk that comes back (`progress.report`).
        """

    def answering(self, model: Model) -> Model:
        """The model as it answers where this works: another one, by its fingerprint too, where an engine does so."""
        return model

    def reach(self) -> None:  # noqa: B027  (what works here has nowhere to go)
        """Raises InputError where it works elsewhere, and that cannot be reached."""

    def check(self, used: Sequence[Model | Judge], directory: Path) -> None:  # noqa: B027
        """Raises InputError where it would work with other models, judges or code than are here; loads no weights.

        Args:
            used: the models and judges of what is going to be done.
            directory: that of the run, in which adapters will lie.
        """

    def release(self) -> None:  # noqa: B027
        """Frees what it holds elsewhere; the next chunk brings it there again."""


def _adapted(name: str, kind: Any) -> type[Executor]:
    if not (isinstance(kind, type) and issubclass(kind, Executor)):
        raise InputError(f"executor {name!r} is no class that is derived from amends.Executor")
    return kind


EXECUTORS: Registry[type[Executor]] = Registry(
    "executor",
    "amends.pipeline.executors",
    "amends.executors",
    "decorate a class that is derived from amends.Executor with @amends.register_executor(NAME)",
    _adapted,
)
ExecutorName = Annotated[str, NameIn(EXECUTORS)]
"""The name of an executor, checked when it is read."""

register_executor = EXECUTORS.decorator


def executor_named(name: str, section: Settings | None = None) -> Executor:
    """An executor by its name, told what it needs of the section `executor`.

    Raises InputError, with the nearest name, where there is none, and as its class does.
    """
    kind = EXECUTORS[name]
    return kind(own_settings(section, kind.settings)) if section else kind()
