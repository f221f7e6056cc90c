"""Slots: rows of a batch, each with its part of a key-value cache that is allocated once."""

import math
import os
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

# Of a machine's whole memory, and of what the weights leave of a GPU's: a device gives the same batches always.
CACHE_SHARE = {"cpu": 0.05, "cuda": 0.4}
SLOTS = {"cpu": 128, "cuda": 2_048}
STATES = (
    ("linear_num_value_heads", "linear_key_head_dim", "linear_value_head_dim"),
    ("num_heads", "head_dim", "state_size"),
)
"""The names of the sizes of a state in configurations."""


class SlotCache(Cache):
    """Keys and values [slots, heads, capacity, size] of every layer, allocated once.

    Before a forward pass its caller says what it is: `prepare_prompts` of new rows, or `prepare_step` of all rows.
    """

    def __init__(self, slots: int, capacity: int) -> None:
        super().__init__(layer_class_to_replicate=DynamicLayer)
        self.slots, self.capacity = slots, capacity
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.prefix: DynamicCache | None = None
        self._rows = self._positions = torch.empty(0, dtype=torch.long)
        self._width = 0

    def prepare_prompts(self, rows: torch.Tensor) -> None:
        """The next pass reads prompts into these slots, from position 0 on (after the shared prefix, if any)."""
        self._rows, self._width = rows, 0

    def prepare_step(self, rows: torch.Tensor, positions: torch.Tensor, width: int) -> None:
        """The next pass adds one token to each of the first slots, at its own position."""
        self._rows, self._positions, self._width = rows, positions, width

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Stores [rows, heads, tokens, size] and returns all keys and values that the pass attends to."""
        if layer_idx == len(self.keys):
            for store, states in ((self.keys, key_states), (self.values, value_states)):
                shape = (self.slots, states.shape[1], self.capacity, states.shape[3])
                store.append(torch.zeros(shape, dtype=states.dtype, device=states.device))
        keys, values = self.keys[layer_idx], self.values[layer_idx]
        if self._width:  # one step
            keys[self._rows, :, self._positions] = key_states[:, :, 0]
            values[self._rows, :, self._positions] = value_states[:, :, 0]
            count = len(self._rows)
            return keys[:count, :, : self._width], values[:count, :, : self._width]
        if self.prefix is not None:
            shared = self.prefix.layers[layer_idx]
            key_states = torch.cat([shared.keys.expand(len(key_states), -1, -1, -1), key_states], dim=2)
            value_states = torch.cat([shared.values.expand(len(value_states), -1, -1, -1), value_states], dim=2)
        keys[self._rows, :, : key_states.shape[2]] = key_states
        values[self._rows, :, : value_states.shape[2]] = value_states
        return key_states, value_states

    def move(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copies rows into free slots, so that the used ones stay the first."""
        for store in (*self.keys, *self.values):
            store[target, :, :width] = store[source, :, :width]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Not meaningful for rows of different lengths: callers pass positions and masks."""
        return self._width


def can_decode_in_slots(model: Any, tokens: int) -> bool:
    """Whether a plain cache and our own masks are right for a model and rows of at most so many tokens."""
    return bool(getattr(model, "_supports_attention_backend", False)) and attends_to_all(model.config, tokens)


def attends_to_all(config: Any, tokens: int | None = None) -> bool:
    """Whether every layer attends to all earlier tokens, and keeps nothing but their keys and values.

    Others have states (linear attention, Mamba, convolutions), or windows that slide: within `tokens` tokens, those of
    at least so many see all.
    """

    def sees_all(layer: Any) -> bool:
        if type(layer) is DynamicSlidingWindowLayer:
            return tokens is not None and tokens <= layer.sliding_window
        return type(layer) is DynamicLayer

    return all(sees_all(layer) for layer in DynamicCache(config=config).layers)


def slots_for(model: Any, tokens: int) -> int:
    """Rows of `tokens` tokens whose keys and values fit into the share of the device's memory that is theirs."""
    shape = model.config.get_text_config()
    layers = shape.per_layer_config if getattr(shape, "is_heterogeneous", False) else [shape] * shape.num_hidden_layers
    row_bytes = 2 * sum(map(_key_numbers, layers)) * model.dtype.itemsize * tokens + state_bytes(shape)
    kind = model.device.type
    if kind == "cuda":
        memory = torch.cuda.get_device_properties(model.device).total_memory
        memory = max(0, memory - model.get_memory_footprint())
    else:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(SLOTS[kind], int(memory * CACHE_SHARE[kind]) // row_bytes))


def _key_numbers(shape: Any) -> int:
    """Numbers in one token's keys in a layer; as many as in its state where there are no keys (Mamba)."""
    queries = getattr(shape, "num_attention_heads", None) or 1
    heads = getattr(shape, "num_key_value_heads", None) or queries
    return int(heads * (getattr(shape, "head_dim", None) or shape.hidden_size // queries))


def state_bytes(shape: Any) -> int:
    """Of a row's states in float32, whatever its length, in layers that keep such (Qwen3.5, Mamba-2)."""
    count = (getattr(shape, "layer_types", None) or []).count("linear_attention")
    for names in STATES if count else ():
        sizes = [getattr(shape, name, None) or 0 for name in names]
        if all(sizes):
            return int(4 * count * math.prod(sizes))
    return 0
