"""What a trainer is, and the registry of all of them: what it reads of a sample, what it is told, how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amends.errors import InputError
from amends.records import Preference, Sample
from amends.registry import Registry
from amends.settings import Settings
from amends.training.environment import launched, sharding
from amends.training.settings import TrainSettings

if TYPE_CHECKING:  # what trains is imported where it is trained
    from amends.training.recipe import Recipe
    from amends.training.tokenized import Columns, Tokenized


def no_refusal(train: TrainSettings, own: Any) -> str:
    """Whatever it is told can be trained with."""
    return ""


def no_check(name: str, tokenizer: Any, model: Any) -> None:
    """Whatever all trainers take is trained."""


def one_process(train: TrainSettings, there: int) -> int:
    """A trainer that says nothing of processes knows of none."""
    return 1


def sharing_batches(train: TrainSettings, there: int) -> int:
    """A trainer whose batches are dealt to all processes, as `in_micro_batches` does: each needs a sample."""
    return min(there, train.rows_a_step)


def sharing_rows(train: TrainSettings, there: int) -> int:
    """A trainer of a library that shares a step's rows out itself, equally many to each process, as TRL's RLOO."""
    return max(number for number in range(1, there + 1) if train.rows_a_step % number == 0)


def no_steps(directory: Path) -> int:
    """Nothing was prepared."""
    return 0


@dataclass(frozen=True, eq=False)
class Trainer:
    """One trainer.

    Attributes:
        name: in a method's row, and of `amends train --trainer`.
        columns: a row of the trainer's from a sample, its tokens (of a preference: with the chosen, with the rejected)
            and the tokenizer.
        make_trainer: takes tokenized samples, tokenizer, directory and recipe.
        record: a row that it trains on; of preferences the share of longer chosen answers is told, too.
        settings: what it alone is told; the keys stand in the configuration's section `preference`.
        prepare: trains what it needs, before it is made, and returns facts about that.
        prepared_steps: of the preparation, that lie in the training's directory.
        steps: those to report progress on, the preparation's among them, for a recipe and a number of rows.
        padding_side: of its tokenizer.
        refusal: why it cannot be told these settings (those of all trainers, its own); empty where it can.
        check: raises ModelError for a model (name, tokenizer, model without weights) that it cannot train.
        processes: in how many it trains, of so many that are there.
        shards: whether it trains weights that are sharded over processes (FSDP, DeepSpeed).
        rereads: whether it reads the same texts again in each epoch.
        logged: how its curves are called, by the library's names.

    Example:
        register_trainer(Trainer("kto", columns, make_trainer, record=Sample, settings=KtoSettings))
    """

    name: str
    columns: Columns
    make_trainer: Callable[[Tokenized, Any, Path, Recipe], Any]
    record: type[Sample] = Sample
    settings: type[Settings] = Settings
    prepare: Callable[[Tokenized, Any, Path, Recipe, Any], dict[str, Any]] | None = None
    prepared_steps: Callable[[Path], int] = no_steps
    steps: Callable[[Recipe, int], int] = lambda recipe, rows: recipe.train.steps(rows, 0)
    padding_side: str = "right"
    refusal: Callable[[TrainSettings, Any], str] = no_refusal
    check: Callable[[str, Any, Any], None] = no_check
    processes: Callable[[TrainSettings, int], int] = one_process
    shards: bool = False
    rereads: bool = True
    logged: Mapping[str, str] = field(default_factory=lambda: {"loss": "loss"})

    @property
    def summary(self) -> str:
        """A line for lists of what there is."""
        return "trains on preferences" if self.compares else "trains on samples"

    @property
    def compares(self) -> bool:
        """Whether it trains on preferences."""
        return issubclass(self.record, Preference)


def processes_of(train: TrainSettings, trainer: Trainer) -> int:
    """How many processes train: those that a launcher started, those that were asked for, or one a GPU.

    Raises InputError where they cannot be had, or have nothing to share.
    """
    started = launched()
    if sharding() and not _gpus():
        raise InputError(f"{sharding()}: weights are sharded over GPUs, and none is to be seen; start with torchrun")
    if sharding() and not trainer.shards:
        raise InputError(f"{sharding()}: {trainer.name} does not train sharded weights; start with torchrun")
    if sharding() and train.quantization:
        raise InputError(f"train.quantization: weights in 4 bits are not sharded ({sharding()}); start with torchrun")
    if started > 1 and train.processes not in ("auto", started):
        raise InputError(
            f"train.processes: {train.processes} were asked for, and the launcher started {started}; leave it out, or "
            "start without a launcher"
        )
    wanted = started if started > 1 else train.processes
    if wanted == "auto":
        return planned_processes(train, trainer)
    if started == 1 and not can_start(wanted):
        raise InputError(f"train.processes: {wanted} were asked for, and {_gpus()} GPUs are to be seen; name {_gpus()}")
    if (most := trainer.processes(train, wanted)) < wanted:
        raise InputError(
            f"train.processes: {trainer.name} shares its {train.rows_a_step} rows a step (train.batch_size x "
            f"train.gradient_accumulation) among {most} processes, and not among {wanted}; name {most}, or other rows"
        )
    return wanted


def planned_processes(train: TrainSettings, trainer: Trainer) -> int:
    """In how many processes amends starts a training here, if it starts."""
    return trainer.processes(train, max(1, _gpus()) if train.processes == "auto" else train.processes)


def can_start(processes: int) -> bool:
    """Whether amends can start so many processes here: each takes a GPU where there are some."""
    return launched() == 1 and (processes <= _gpus() or not _gpus())


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


TRAINERS: Registry[Trainer] = Registry(
    "trainer", "amends.training.trainers", "amends.trainers", "amends.register_trainer(Trainer(...))"
)


def register_trainer(trainer: Trainer) -> Trainer:
    """Adds a trainer, which methods can then name. Raises InputError where its name is taken.

    Example:
        amends.register_trainer(Trainer("kto", columns, make_trainer, record=Sample, settings=KtoSettings))
    """
    return TRAINERS.register(trainer.name, trainer)
