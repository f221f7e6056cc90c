"""The order of samples as a function of seed and epoch, so that a resumed training goes on in the order it began in."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import Sampler

from amends.seeds import derive_seed


class EpochOrder(Sampler[int]):
    """A sampler whose random stream begins anew at each epoch, from the seed and the epoch's number.

    The trainers' own samplers draw on from where the last epoch ended. After an interruption there was no last epoch:
    they would give an epoch the order of the first one, so that some rows are trained on again and others not at all.

    Args:
        sampler: one that draws from its `generator`.
        seed: of all epochs.
    """

    def __init__(self, sampler: Any, seed: int) -> None:
        self.sampler, self.seed, self.epoch = sampler, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        self.sampler.generator = torch.Generator().manual_seed(derive_seed(self.seed, "epoch", self.epoch))
        return iter(self.sampler)

    def __len__(self) -> int:
        return len(self.sampler)


def reach_sampler(loader: Any) -> Any:
    """Has the batches of one of several processes pass an epoch's number on; returns the trainer's loader.

    Where a training goes on within an epoch, batches are skipped, and accelerate looks for the sampler in vain.
    """
    if of_all := getattr(loader.batch_sampler, "batch_sampler", None):
        loader.batch_sampler.sampler = of_all.sampler
    return loader


def resumable(kind: type[Any]) -> type[Any]:
    """A trainer of that kind which takes its rows in an order that an interruption does not change."""

    class Resumable(kind):  # type: ignore[misc]  # the libraries have no types
        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> EpochOrder:
            return EpochOrder(super()._get_train_sampler(*args, **kwargs), self.args.data_seed)

        def get_train_dataloader(self) -> Any:
            return reach_sampler(super().get_train_dataloader())

    return Resumable
