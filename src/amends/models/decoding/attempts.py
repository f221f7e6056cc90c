"""Attempts at rows in continuous batches, of rows that need similar room."""

from collections.abc import Callable, Mapping
from typing import Any

from amends.models.base import Generation, Sampling
from amends.models.decoding.batches import length_pools
from amends.models.decoding.decoders import SlotDecoder
from amends.models.decoding.sampling import Sampler, numbers_of
from amends.models.decoding.slots import slots_for
from amends.models.decoding.turn_queue import CHEAP_ROWS, TurnQueue
from amends.models.turns import Turn, Turns
from amends.progress import ProgressCallback


def decode_turns(
    model: Any,
    turns: Turns,
    prompts: Mapping[Turn, list[int]],
    read: Callable[[list[int]], Generation],
    sampling: Sampling,
    seed: int,
    ends: frozenset[int],
    padding: int,
    progress: ProgressCallback,
) -> None:
    """Asks all turns of a model whose rows can be decoded in slots; each has random numbers of its own.

    Args:
        prompts: tokens of each turn's prompt, but of those that leave no room for an answer.
        read: the answer that tokens spell.
        ends, padding: tokens that end an answer, and that fill rows.
    """
    new = sampling.max_new_tokens
    of_row = [[prompts.get(Turn(row, attempt), []) for attempt in range(turns.attempts)] for row in range(turns.rows)]
    lengths = [max(map(len, found)) for found in of_row]
    for rows in length_pools(lengths, new):
        draws = lambda turn: numbers_of(turn.seed(seed), new)  # noqa: E731
        queue = TurnQueue(turns, sorted(rows), prompts.get, read, draws, CHEAP_ROWS[model.device.type])
        capacity = lengths[rows[0]] + new
        sampler = Sampler(sampling.temperature, sampling.top_p, seed, model.device)
        decoder = SlotDecoder(model, sampler, ends, padding, progress)
        decoder.run(queue, capacity, new, min(slots_for(model, capacity), len(rows) * turns.attempts))
