"""Micro-batches by tokens: a batch is computed in pieces that hold a budget of tokens, its gradient stays the batch's.

The pieces are made where TRL's trainers take a batch (`training_step`), so that their sampler, their steps, their
epochs and their checkpoints stay what they are. A collator or a sampler could not do it: transformers counts
`gradient_accumulation_steps` batches a step, the same number for each, and resumes by that number.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from amends.models.decoding.batches import length_batches
from amends.training.recipe import EAGER_TOKENS

Inputs = Mapping[str, Any]
"""What a collator makes of a batch, by name: tensors [rows, tokens], padded on the right, or [samples]."""


def micro_batches(inputs: Inputs, token_budget: int, sides: int = 1) -> list[tuple[list[int], dict[str, Any]]]:
    """The samples of each piece by their places in the batch, and its inputs without the padding that it can spare.

    Args:
        inputs: with `attention_mask` [sides x samples, tokens]: of pairs all first sides stand before all second ones.
        token_budget: tokens of a piece at most, with padding; a longer sample is a piece of its own.
        sides: rows of a sample: 2 of a pair.

    Example:
        >>> mask = torch.tensor([[1, 0, 0], [1, 1, 1], [1, 0, 0]])
        >>> [samples for samples, _ in micro_batches({"attention_mask": mask}, 3)]
        [[1], [0, 2]]
    """
    mask = inputs["attention_mask"]
    samples = mask.shape[0] // sides
    widths = mask.sum(1).reshape(sides, samples).amax(0).tolist()
    places = list(length_batches([sides * width for width in widths], token_budget))
    if len(places) == 1:
        return [(list(range(samples)), dict(inputs))]
    return [(piece, _piece(inputs, piece, samples, sides, max(widths[place] for place in piece))) for piece in places]


def _piece(inputs: Inputs, piece: list[int], samples: int, sides: int, width: int) -> dict[str, Any]:
    rows = torch.tensor([side * samples + place for side in range(sides) for place in piece])
    return {
        name: value[rows, :width] if value.dim() > 1 else value[torch.tensor(piece)] for name, value in inputs.items()
    }


def in_micro_batches(kind: type[Any], token_budget: int, sides: int = 1) -> type[Any]:
    """A trainer of that kind that computes each batch in pieces of at most `token_budget` tokens.

    A loss that is a sum over the step's tokens (transformers gives `num_items_in_batch` then) adds up by itself. One
    that is a mean over samples is weighted by the piece's share of them, and so are the means that TRL logs.
    """

    class InMicroBatches(kind):  # type: ignore[misc]  # the libraries have no types
        _share = 1.0

        def training_step(self, model: Any, inputs: Inputs, num_items_in_batch: Any = None) -> Any:
            pieces = micro_batches(inputs, token_budget, sides)
            losses = []
            with _merged_means(self, pieces):
                for samples, piece in pieces:
                    self._share = len(samples) / sum(len(one) for one, _ in pieces)
                    with _attending(self.model, piece["attention_mask"].shape[1]):
                        losses.append(super().training_step(model, piece, num_items_in_batch))
            return torch.stack(losses).sum()

        def compute_loss(
            self, model: Any, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            return loss if num_items_in_batch is not None or self._share == 1 else loss * self._share

        def compute_ref_log_probs(self, model: Any, inputs: Inputs) -> Any:
            pieces = micro_batches(inputs, token_budget, sides)
            found = [super(InMicroBatches, self).compute_ref_log_probs(model, piece) for _, piece in pieces]
            order = torch.tensor([place for samples, _ in pieces for place in samples]).argsort()
            return tuple(torch.cat(side)[order.to(side[0].device)] for side in zip(*found, strict=True))

    return InMicroBatches


@contextmanager
def _attending(model: Any, tokens: int) -> Iterator[None]:
    """Plain attention within rows so short that the fused kernel's backward pass is slower on a CPU."""
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    usual = core.config._attn_implementation
    if core.device.type != "cpu" or tokens > EAGER_TOKENS or usual == "eager":
        yield
        return
    core.set_attn_implementation("eager")
    try:
        yield
    finally:
        core.set_attn_implementation(usual)


@contextmanager
def _merged_means(trainer: Any, pieces: Sequence[tuple[list[int], Any]]) -> Iterator[None]:
    """Makes the means that a trainer of TRL's notes for each piece within one a batch, weighted by samples."""
    noted = trainer._metrics["train"]
    before = {name: len(values) for name, values in noted.items()}
    yield
    if len(pieces) == 1:
        return
    counts = [len(samples) for samples, _ in pieces]
    for name, values in noted.items():
        first = before.get(name, 0)
        added = values[first:]
        if len(added) == len(counts):  # what TRL sets instead, as its sum of tokens, is one number
            values[first:] = [sum(one * count for one, count in zip(added, counts, strict=True)) / sum(counts)]
