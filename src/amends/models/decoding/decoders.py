"""Decoding many prompts at once: rows that finish make room for others, and what all prompts share is computed once.

Against `generate` in plain batches there are no finished rows to pay for, no cache to copy at every step and no logits
of prompts (dev/log/2026.md has the profile).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, GenerationConfig, LogitsProcessorList

from amends.models.decoding.batches import shared_prefix
from amends.models.decoding.queues import REFILL_SHARE, PromptQueue, Queue
from amends.models.decoding.sampling import DrawnToken, Sampler
from amends.models.decoding.slots import SlotCache
from amends.progress import ProgressCallback, no_progress

READ_TOKENS = {"cpu": 4_096, "cuda": 32_768}  # of prompts, in one pass: bounds the memory that it takes


@dataclass(frozen=True)
class Decoder:
    """What continuing prompts needs: a model, what draws one token a row, and the ids that end and that pad a row."""

    model: Any
    sampler: Sampler
    ends: frozenset[int]
    padding: int
    progress: ProgressCallback = no_progress


class SlotDecoder(Decoder):
    """Continues prompts in at most `slots` rows at a time; a row that ends makes room for the next prompt."""

    def decode(self, prompts: Sequence[list[int]], new_tokens: int, slots: int) -> list[list[int]]:
        """New tokens of each prompt, in the prompts' order, with the ending token where there was one.

        Prompts come longest first. What is drawn depends on the prompts, their order and `slots` alone.
        """
        queue = PromptQueue(prompts, shared_prefix(prompts))
        slots = min(slots, len(prompts))
        self.run(queue, max(len(prompt) for prompt in prompts) + new_tokens, new_tokens, slots)
        return queue.outputs

    @torch.inference_mode()
    def run(self, queue: Queue[Any], capacity: int, new_tokens: int, slots: int) -> None:
        """Continues what a queue gives until it has nothing more: of `capacity` tokens a row, prompt and answer."""
        device = self.model.device
        cache = SlotCache(slots, capacity)
        prefixes: dict[tuple[int, ...], DynamicCache | None] = {(): None}
        active: list[Any] = []  # the key in each of the first slots
        outputs: list[list[int]] = []  # of each of these
        tokens = torch.empty(0, dtype=torch.long, device=device)
        positions = torch.empty(0, dtype=torch.long, device=device)

        def keep(kept: list[int], freed: list[int]) -> None:
            nonlocal active, outputs, tokens, positions
            order = _close_ranks(kept, freed, cache, positions)
            active, outputs = [active[slot] for slot in order], [outputs[slot] for slot in order]
            moved = torch.tensor(order, dtype=torch.long, device=device)
            tokens, positions = tokens[moved], positions[moved]

        while True:
            free = slots - len(active)
            if not active or free * REFILL_SHARE >= slots:
                if dropped := queue.refill(free, len(active)):
                    gone = [slot for slot, key in enumerate(active) if key in dropped]
                    keep([slot for slot, key in enumerate(active) if key not in dropped], gone)
                for prefix, newcomers in queue.take(slots - len(active)):
                    if prefix not in prefixes:
                        prefixes[prefix] = self._read_prefix(prefix)
                    cache.prefix = prefixes[prefix]
                    rests = [prompt[len(prefix) : -1] for _, prompt in newcomers]
                    for first, last in _parts(rests, READ_TOKENS[device.type]):
                        rows = torch.arange(len(active) + first, len(active) + last, device=device)
                        self._read_prompts(rests[first:last], len(prefix), rows, cache)
                    lasts = [prompt[-1] for _, prompt in newcomers]
                    tokens = torch.cat([tokens, torch.tensor(lasts, device=device)])
                    lengths = [len(prompt) - 1 for _, prompt in newcomers]
                    positions = torch.cat([positions, torch.tensor(lengths, device=device)])
                    active += [key for key, _ in newcomers]
                    outputs += [[] for _ in newcomers]
            if not active:
                return
            drawn = queue.drawn(active, [len(output) for output in outputs])
            tokens = self.sampler(self._step(tokens, positions, cache), drawn)
            positions = positions + 1
            kept: list[int] = []
            freed: list[int] = []
            for slot, token in enumerate(tokens.tolist()):
                outputs[slot].append(token)
                if token in self.ends or len(outputs[slot]) == new_tokens:
                    freed.append(slot)
                    queue.ended(active[slot], outputs[slot])
                    self.progress(1, len(outputs[slot]))
                else:
                    kept.append(slot)
            if freed:
                keep(kept, freed)

    def _read_prefix(self, prefix: tuple[int, ...]) -> DynamicCache:
        """Keys and values of what prompts begin with."""
        read = DynamicCache(config=self.model.config)
        ids = torch.tensor([prefix], device=self.model.device)
        self.model.base_model(input_ids=ids, past_key_values=read, use_cache=True)
        return read

    def _read_prompts(self, prompts: list[list[int]], prefix: int, rows: torch.Tensor, cache: SlotCache) -> None:
        """All but the last token, which is the first that a step takes: so the output layer does not run here.

        That matters beyond its cost: `generate` runs it on a strided slice, for which torch copies a frozen weight once
        for every row (dev/log/2026.md). Rows are padded on the right, where no token of theirs looks; steps overwrite
        or mask what padding leaves.
        """
        width = max(len(prompt) for prompt in prompts)
        if width == 0:  # prompts of a single token
            return
        device, dtype = self.model.device, self.model.dtype
        ids = torch.tensor([prompt + [self.padding] * (width - len(prompt)) for prompt in prompts], device=device)
        positions = torch.arange(prefix, prefix + width, device=device)
        seen = torch.arange(prefix + width, device=device)[None, :] <= positions[:, None]
        cache.prepare_prompts(rows)
        self.model.base_model(
            input_ids=ids,
            attention_mask=_additive(seen, dtype)[None, None],
            position_ids=positions.expand(len(prompts), -1),
            past_key_values=cache,
            use_cache=True,
        )

    def _step(self, tokens: torch.Tensor, positions: torch.Tensor, cache: SlotCache) -> torch.Tensor:
        width = int(positions.max()) + 1
        seen = torch.arange(width, device=tokens.device)[None, :] <= positions[:, None]
        cache.prepare_step(torch.arange(len(tokens), device=tokens.device), positions, width)
        output = self.model(
            input_ids=tokens[:, None],
            attention_mask=_additive(seen, self.model.dtype)[:, None, None],
            position_ids=positions[:, None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]


def _parts(prompts: Sequence[list[int]], token_budget: int) -> Iterator[tuple[int, int]]:
    """Ranges of prompts, longest first, that hold at most `token_budget` padded tokens each."""
    first = 0
    while first < len(prompts):
        last = first + max(1, token_budget // max(1, len(prompts[first])))
        yield first, min(last, len(prompts))
        first = last


def _additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)


def _close_ranks(kept: list[int], freed: list[int], cache: SlotCache, positions: torch.Tensor) -> list[int]:
    """Moves the last rows into the freed slots. Returns which slot the row in each of the first slots was in before."""
    count = len(kept)
    holes = [slot for slot in freed if slot < count]
    movers = [slot for slot in kept if slot >= count]
    order = list(range(count))
    for hole, mover in zip(holes, movers, strict=True):
        order[hole] = mover
    device = positions.device
    if holes:
        cache.move(torch.tensor(movers, device=device), torch.tensor(holes, device=device), int(positions.max()))
    return order


class BatchDecoder(Decoder):
    """The same through the library's `generate`, for models whose layers need caches of their own."""

    @torch.inference_mode()
    def decode(self, prompts: Sequence[list[int]], new_tokens: int, slots: int, **watching: Any) -> list[list[int]]:
        """As `SlotDecoder.decode`, in batches of `slots` rows, each as long as its longest.

        `watching`: what `generate` takes to look on or to stop early, a streamer and criteria.
        """
        configuration = GenerationConfig(
            max_new_tokens=new_tokens,
            do_sample=False,
            eos_token_id=sorted(self.ends),
            pad_token_id=self.padding,
            repetition_penalty=1.0,  # what is left out here is the model's own generation_config.json's
            no_repeat_ngram_size=0,
        )
        outputs: list[list[int]] = []
        slots = max(1, min(slots, READ_TOKENS[self.model.device.type] // max(map(len, prompts))))
        for start in range(0, len(prompts), slots):
            batch = prompts[start : start + slots]
            width = max(len(ids) for ids in batch)
            inputs = torch.tensor([[self.padding] * (width - len(ids)) + ids for ids in batch])
            mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in batch])
            output = self.model.generate(
                input_ids=inputs.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                generation_config=configuration,
                logits_processor=LogitsProcessorList([DrawnToken(self.sampler)]),
                **watching,
            )
            made = [self._until_end(row) for row in output[:, width:].tolist()]
            self.progress(len(made), sum(len(row) for row in made))
            outputs += made
        return outputs

    def _until_end(self, row: list[int]) -> list[int]:
        end = next((place for place, token in enumerate(row) if token in self.ends), len(row))
        return row[: end + 1]
