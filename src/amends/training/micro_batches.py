"""Micro-batches by tokens: a batch is computed in pieces that hold a budget of tokens, its gradient stays the batch's.

The pieces are made where TRL's trainers take a batch (`training_step`), so that their sampler, their steps, their
epochs and their checkpoints stay what they are. A collator or a sampler could not do it: transformers counts
`gradient_accumulation_steps` batches a step, the same number for each, and resumes by that number.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from amends.models.decoding.batches import length_batches
from amends.training import ranks
from amends.training.order import reach_sampler
from amends.training.recipe import EAGER_TOKENS

Inputs = Mapping[str, Any]
"""What a collator makes of a batch, by name: tensors [rows, tokens], padded on the right, or [samples]."""


def micro_batches(
    inputs: Inputs, token_budget: int, sides: int = 1, processes: int = 1, rank: int = 0
) -> list[tuple[list[int], dict[str, Any]]]:
    """The samples of each piece by their places in the batch, and its inputs without the padding that it can spare.

    Args:
        inputs: with `attention_mask` [sides x samples, tokens]: of pairs all first sides stand before all second ones.
        token_budget: tokens of a piece at most, with padding; a longer sample is a piece of its own.
        sides: rows of a sample: 2 of a pair.
        processes: among which the batch is dealt.
        rank: whose pieces these are. All have equally many, since a piece of weights may be where another computes:
            one without samples, by their places, stands for the shortest sample, and has to count nothing.

    Example:
        >>> mask = torch.tensor([[1, 0, 0], [1, 1, 1], [1, 0, 0]])
        >>> [samples for samples, _ in micro_batches({"attention_mask": mask}, 3)]
        [[1], [0, 2]]
        >>> [[samples for samples, _ in micro_batches({"attention_mask": mask}, 3, 1, 2, rank)] for rank in (0, 1)]
        [[[1], [2]], [[0], []]]
    """
    mask = inputs["attention_mask"]
    samples = mask.shape[0] // sides
    widths = mask.sum(1).reshape(sides, samples).amax(0).tolist()
    order = sorted(range(samples), key=lambda place: (-widths[place], place))
    hands = [order[first::processes] for first in range(processes)]
    cut = [list(length_batches([sides * widths[place] for place in hand], token_budget)) for hand in hands]
    places = [[hands[rank][row] for row in piece] for piece in cut[rank]]
    if processes == len(places) == 1:
        return [(list(range(samples)), dict(inputs))]
    places += [[]] * (max(map(len, cut)) - len(places))
    return [
        (piece, _piece(inputs, piece or order[-1:], samples, sides, max(widths[one] for one in piece or order[-1:])))
        for piece in places
    ]


def _piece(inputs: Inputs, piece: list[int], samples: int, sides: int, width: int) -> dict[str, Any]:
    rows = torch.tensor([side * samples + place for side in range(sides) for place in piece])
    return {
        name: value[rows, :width] if value.dim() > 1 else value[torch.tensor(piece)] for name, value in inputs.items()
    }


def in_micro_batches(kind: type[Any], token_budget: int, sides: int = 1) -> type[Any]:
    """A trainer of that kind that computes each batch in pieces of at most `token_budget` tokens.

    A loss that is a sum over the step's tokens (transformers gives `num_items_in_batch` then) adds up by itself. One
    that is a mean over samples is weighted by the piece's share of them, and so are the means that TRL logs.

    Several processes read the same batches, in the same order, and each computes its pieces of them. The mean of their
    gradients is then the gradient of one process: a piece weighs as many times more as there are processes.
    """

    class InMicroBatches(kind):  # type: ignore[misc]  # the libraries have no types
        _share = 1.0  # of the batch's samples that are in a piece

        def get_train_dataloader(self) -> Any:
            loader = reach_sampler(super().get_train_dataloader())
            if ranks.count() > 1:  # accelerate would give each process other batches, and fill up the last one
                shards = loader.batch_sampler
                shards.num_processes, shards.process_index, shards.even_batches = 1, 0, False
            return loader

        def training_step(self, model: Any, inputs: Inputs, num_items_in_batch: Any = None) -> Any:
            pieces = micro_batches(inputs, token_budget, sides, ranks.count(), ranks.rank())
            samples = inputs["attention_mask"].shape[0] // sides
            losses = []
            with _merged_means(self, [len(places) for places, _ in pieces], samples), _asking_nobody(self.accelerator):
                for number, (places, piece) in enumerate(pieces, 1):
                    self._share = len(places) / samples
                    last = number == len(pieces)
                    if ranks.count() > 1:  # a batch is a step then, and DeepSpeed's engine makes it where this is True
                        self.accelerator.gradient_state._set_sync_gradients(last)
                    meeting = (
                        nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()
                    )
                    with meeting, _attending(self.model, piece["attention_mask"].shape[1]):
                        losses.append(super().training_step(model, piece, num_items_in_batch))
            return torch.stack(losses).sum()

        def compute_loss(
            self, model: Any, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            weight = ranks.count() * (self._share if num_items_in_batch is None else float(self._share > 0))
            return loss if weight == 1 else loss * weight

        def _track_num_input_tokens(self, inputs: Inputs) -> None:
            with _asking_nobody(self.accelerator):
                super()._track_num_input_tokens(inputs)

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
def _asking_nobody(accelerator: Any) -> Iterator[None]:
    """What is counted of a piece, or of a batch that all processes have, is not gathered from them."""
    if ranks.count() == 1:
        yield
        return
    accelerator.gather = accelerator.gather_for_metrics = lambda found, *_, **__: found
    try:
        yield
    finally:
        del accelerator.gather, accelerator.gather_for_metrics


@contextmanager
def _merged_means(trainer: Any, counts: Sequence[int], samples: int) -> Iterator[None]:
    """Makes the means that a trainer of TRL's notes for each piece, of so many samples, within one a batch."""
    noted = trainer._metrics["train"]
    before = {name: len(values) for name, values in noted.items()}
    yield
    if len(counts) == ranks.count() == 1:
        return
    added = {name: values[before.get(name, 0) :] for name, values in noted.items()}
    # What TRL sets instead, as its sum of tokens, is one number, which stays.
    means = {name: values for name, values in added.items() if len(values) == len(counts) and name != "num_tokens"}
    sums = ranks.summed(
        [sum(one * count for one, count in zip(values, counts, strict=True)) for values in means.values()]
    )
    for name, total in zip(means, sums, strict=True):
        noted[name][before.get(name, 0) :] = [total / samples]
