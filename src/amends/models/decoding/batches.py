"""Which rows go together: pools and batches of similar length, and what all prompts begin with."""

from collections.abc import Iterator, Sequence
from typing import Any

MINIMUM_PREFIX = 8


def length_pools(lengths: Sequence[int], new_tokens: int) -> list[list[int]]:
    """Row numbers, longest first, in pools whose rows need at least half of the room that their longest one needs."""
    pools: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if pools and 2 * (lengths[row] + new_tokens) >= lengths[pools[-1][0]] + new_tokens:
            pools[-1].append(row)
        else:
            pools.append([row])
    return pools


def length_batches(lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, longest first: at most `token_budget` padded tokens each."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda number: (-lengths[number], number)):
        if batch and (len(batch) + 1) * lengths[batch[0]] > token_budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def shared_prefix(prompts: Sequence[list[int]]) -> int:
    """Number of first tokens that all prompts share; each keeps at least two of its own."""
    if len(prompts) < 2:
        return 0
    first, last = min(prompts), max(prompts)  # what these two share, all share
    differ = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    length = min(next(differ, len(first)), min(len(prompt) for prompt in prompts) - 2)
    return length if length >= MINIMUM_PREFIX else 0


def right_padded(rows: Sequence[list[int]], padding: int) -> tuple[Any, Any]:
    """Ids and attention mask [rows, tokens], padded on the right, so that positions count from the first token."""
    import torch

    width = max(len(ids) for ids in rows)
    inputs = torch.full((len(rows), width), padding)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for row, ids in enumerate(rows):
        inputs[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
    return inputs, mask
