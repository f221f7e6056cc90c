"""Which of the processes of a training this one is. Without others nobody is asked, and nothing is waited for."""

from typing import Any


def count() -> int:
    """Processes of the training."""
    import torch.distributed as dist  # not at the top: the help of every command imports what imports this

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this one, from 0."""
    import torch.distributed as dist

    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this one writes what one process would write."""
    return rank() == 0


def wait() -> None:
    """Waits until all are here."""
    import torch.distributed as dist

    if count() > 1:
        dist.barrier()


def of_first(value: Any) -> Any:
    """What the first of them has; all have to ask."""
    import torch.distributed as dist

    found = [value]
    if count() > 1:
        dist.broadcast_object_list(found)
    return found[0]


def summed(numbers: list[float]) -> list[float]:
    """The sum of each number over all of them, which have equally many."""
    import torch
    import torch.distributed as dist

    if count() == 1:
        return numbers
    sums = torch.tensor(numbers, dtype=torch.float64)
    dist.all_reduce(sums)
    return sums.tolist()
