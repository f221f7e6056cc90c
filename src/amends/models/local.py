"""A local transformers model: answers, and losses of given answers, ordered by length, the same bytes each time."""

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amends.errors import InputError, ModelError
from amends.models.batches import length_batches, length_pools, right_padded
from amends.models.chat import end_of_turn_token, lead, open_reasoning, plain, render
from amends.models.loading import (
    best_device,
    check_adapter,
    find_model,
    free_memory,
    load_model,
    load_tokenizer,
)
from amends.protocols import SHORT, Generation, ProgressCallback, Prompt, Sampling, no_progress
from amends.seeds import derive_seed
from amends.store import directory_fingerprint, fingerprint

ROWS_AT_ONCE = {"cuda": 4_096}  # twice the slots (slots.py), so that they stay full while rows end and rounds shrink
LOSS_TOKENS = {"cpu": 2_048, "cuda": 16_384}  # smaller: logits over the whole vocabulary at every token
TRIMMED = {"cuda"}  # devices without logits of prompts; on a CPU the last digits, and with them bytes, would change


class LocalModel:
    """A causal language model with its chat template. Loads on first use; `fingerprint` needs no loading.

    Args:
        name: `embedded`, a model directory or a hub id.
        adapter: a PEFT adapter directory trained on that model.
        device: `cpu` or `cuda`; the best there is by default.
        template_options: what the chat template is given beside the messages, as guard models' templates want.
        system_prompt: the system turn of all conversations that have none of their own.

    Raises ModelError at once where the model is unknown, or the adapter is none or another model's.
    """

    def __init__(
        self,
        name: str,
        adapter: Path | None = None,
        device: str | None = None,
        template_options: Mapping[str, Any] | None = None,
        system_prompt: str | None = None,
    ) -> None:
        self.name = name
        self.source = find_model(name, system_prompt)
        self.adapter = adapter
        if adapter is not None:
            check_adapter(self.source, adapter)
        self._device = device
        self._template_options = dict(template_options or {})
        self._model: Any = None
        self._tokenizer: Any = None

    @property
    def fingerprint(self) -> str:
        """Hash of the model's and the adapter's files."""
        adapter = directory_fingerprint(self.adapter) if self.adapter else None
        return fingerprint(model=self.source.fingerprint(), adapter=adapter)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, loaded on first use."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.source, self._template_options.get("chat_template"))
        return self._tokenizer

    @property
    def model(self) -> Any:
        """The model, loaded on first use."""
        if self._model is None:
            self._model = load_model(self.source, self._device, self.adapter)
        return self._model

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def rows_at_once(self) -> int | None:
        """Rows that fill its device; None where the caller's own number does."""
        return ROWS_AT_ONCE.get(self._device or best_device())

    def release(self) -> None:
        """Frees the weights; the next use loads them again."""
        if self._model is not None:
            self._model = None
            free_memory()

    def render(self, prompt: Prompt) -> str:
        """The text that the model continues: chat template, generation prompt, prefill."""
        tokenizer = self.tokenizer
        try:
            text = render(prompt.messages, tokenizer, True, **self._template_options)
        except ModelError as error:
            raise ModelError(f"{self.name}: {error}; choose a guide with another place") from error
        return text + (lead(tokenizer) + prompt.prefill if prompt.prefill else "")

    def check(self, prompt: Prompt) -> None:
        """Raises ModelError where the chat template has no place for the prompt's messages, or always opens reasoning."""
        if tag := open_reasoning(self.render(replace(prompt, prefill=""))):
            raise ModelError(
                f"{self.name}: its chat template begins every answer with {tag}, a block of reasoning that "
                "enable_thinking=false does not close; amends needs a model that can answer without"
            )

    def _encode(self, prompt: Prompt) -> list[int]:
        return list(self.tokenizer(self.render(prompt), add_special_tokens=False).input_ids)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers in the order of `prompts`. What is decoded together depends on the prompts' lengths alone.

        Rows share random streams, so the function is one of the whole list, not row by row. A prompt that leaves no room in
        the model's context gets no answer: an empty one that is not finished.
        """
        from amends.models.decoding import BatchDecoder, SlotDecoder
        from amends.models.sampling import Sampler
        from amends.models.slots import can_decode_in_slots, slots_for

        encoded = [self._encode(prompt) for prompt in prompts]
        fitting = self._fitting(encoded, sampling.max_new_tokens)
        results = [Generation(text="", finished=False, tokens=0)] * len(prompts)
        ends = end_tokens(self.tokenizer, self.model)
        lengths = [len(encoded[row]) for row in fitting]
        for number, places in enumerate(length_pools(lengths, sampling.max_new_tokens)):
            pool = [fitting[place] for place in places]
            tokens = len(encoded[pool[0]]) + sampling.max_new_tokens
            kind = SlotDecoder if can_decode_in_slots(self.model, tokens) else BatchDecoder
            slots = slots_for(self.model, tokens)
            pool_seed = derive_seed(seed, "pool", number)
            sampler = Sampler(sampling.temperature, sampling.top_p, pool_seed, self.model.device)
            decoder = kind(self.model, sampler, ends, self.tokenizer.pad_token_id, progress)
            outputs = decoder.decode([encoded[row] for row in pool], sampling.max_new_tokens, slots)
            for row, output in zip(pool, outputs, strict=True):
                results[row] = self._generation(output, ends)
        return results

    def _fitting(self, encoded: list[list[int]], new_tokens: int) -> list[int]:
        """The rows whose prompt and answer fit into the model's context."""
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or math.inf
        if new_tokens >= context:
            raise InputError(f"{self.name}: {new_tokens} new tokens are all of its context; lower max_new_tokens")
        fitting = [row for row, ids in enumerate(encoded) if len(ids) + new_tokens <= context]
        if not fitting and self.source.system_prompt and len(self._encode(SHORT)) + new_tokens > context:
            raise InputError(f"{self.name}: the system prompt leaves no room for an answer; shorten it")
        return fitting

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
        """Negative log-likelihood in nats, summed over each answer's tokens, and their number.

        With its end of turn, unless the answer is an opening that goes on (`ended` is false).
        """
        contexts = [self._encode(prompt) for prompt, _ in pairs]
        end = [end_of_turn_token(self.tokenizer)] if ended else []
        opening = lead(self.tokenizer)
        texts = [("" if prompt.prefill else opening) + plain(answer, self.tokenizer) for prompt, answer in pairs]
        answers = [[*self.tokenizer(text, add_special_tokens=False).input_ids, *end] for text in texts]
        results: list[tuple[float, int]] = [(0.0, 0)] * len(pairs)
        lengths = [len(context) + len(answer) for context, answer in zip(contexts, answers, strict=True)]
        for rows in length_batches(lengths, LOSS_TOKENS[self.model.device.type]):
            losses = self._batch_losses([(contexts[row], answers[row]) for row in rows])
            for row, loss in zip(rows, losses, strict=True):
                results[row] = loss
        return results

    def _batch_losses(self, batch: list[tuple[list[int], list[int]]]) -> list[tuple[float, int]]:
        import torch

        device = self.model.device
        inputs, mask = right_padded([context + answer for context, answer in batch], self.tokenizer.pad_token_id)
        options = {"use_cache": False}
        if device.type in TRIMMED and "logits_to_keep" in inspect.signature(self.model.forward).parameters:
            options["logits_to_keep"] = inputs.shape[1] - min(len(context) for context, _ in batch) + 1
        inputs, losses = inputs.to(device), []
        with torch.inference_mode():
            scores = self.model(input_ids=inputs, attention_mask=mask.to(device), **options).logits
            left_out = inputs.shape[1] - scores.shape[1]
            for row, (context, answer) in enumerate(batch):
                first, behind = len(context), len(context) + len(answer)
                logits = scores[row, first - 1 - left_out : behind - 1 - left_out].float()
                losses.append(torch.nn.functional.cross_entropy(logits, inputs[row, first:behind], reduction="sum"))
            nats = torch.stack(losses).tolist()  # waits for a GPU once
        return [(loss, len(answer)) for loss, (_, answer) in zip(nats, batch, strict=True)]

    def _generation(self, ids: list[int], ends: frozenset[int]) -> Generation:
        length = next((position for position, token in enumerate(ids) if token in ends), None)
        kept = ids[:length]
        text = self.tokenizer.decode(kept, skip_special_tokens=True).strip()
        return Generation(text=text, finished=length is not None, tokens=len(kept))


def end_tokens(tokenizer: Any, model: Any) -> frozenset[int]:
    """Ids that end a generation: the chat template's end of turn and the model's own."""
    own = model.generation_config.eos_token_id
    own = own if isinstance(own, list) else [own]
    return frozenset({end_of_turn_token(tokenizer), *(int(token) for token in own if token is not None)})
