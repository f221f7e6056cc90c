"""How big a model is, by its configuration, and how fast this machine multiplies: what estimates are made of."""

import functools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amends.models.configuration import empty_model, vocabulary
from amends.models.device import best_device, best_dtype
from amends.models.source import ModelSource

SIDE = 2_048  # of the matrices that are multiplied: large enough for a processor's best rate, and done in a moment
REPEATS = 3


@dataclass(frozen=True)
class Size:
    """A model's size.

    Attributes:
        parameters: numbers in its weights.
        number_bytes: of one of them in the precision that this machine computes in.
        layers, hidden, vocabulary: its shape.
        linear: inputs and outputs of each linear layer but the output, by name.
    """

    parameters: int
    number_bytes: int
    layers: int
    hidden: int
    vocabulary: int
    linear: dict[str, tuple[int, int]]

    def adapter(self, rank: int, targets: str | Sequence[str]) -> int:
        """Numbers in a LoRA adapter: rank x (inputs + outputs) of each linear layer that it is on (PEFT's rules)."""

        def is_target(name: str) -> bool:
            if targets == "all-linear":
                return True
            if isinstance(targets, str):
                return bool(re.fullmatch(targets, name))
            return any(name == one or name.endswith(f".{one}") for one in targets)

        return rank * sum(sum(shape) for name, shape in self.linear.items() if is_target(name))


def size_of(source: ModelSource) -> Size:
    """The size of a model; loads no weights. Raises ModelError where transformers has no such model."""
    import torch

    model = empty_model(source)
    shape, output = model.config.get_text_config(), model.get_output_embeddings()
    layers = ((name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.Linear))
    return Size(
        parameters=sum(weight.numel() for weight in model.parameters()),
        number_bytes=best_dtype(best_device()).itemsize,
        layers=int(shape.num_hidden_layers),
        hidden=int(shape.hidden_size),
        vocabulary=vocabulary(model.config),
        linear={name: (one.in_features, one.out_features) for name, one in layers if one is not output},
    )


@functools.cache
def products_a_second() -> float:
    """Floating-point operations a second of large matrix products, measured here once a process; the best of some."""
    import torch

    device = best_device()
    matrix = torch.ones((SIDE, SIDE), dtype=best_dtype(device), device=device)
    seconds = min(_seconds(matrix) for _ in range(REPEATS + 1))
    return 2 * SIDE**3 / seconds


def _seconds(matrix: Any) -> float:
    began = time.perf_counter()
    (matrix @ matrix)[0, 0].item()  # waits for a GPU
    return time.perf_counter() - began
