"""A local transformers model: answers, and losses of given answers, ordered by length, the same bytes each time."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from amends.errors import InputError, MeasurementError, ModelError
from amends.models.adapters import base_remarks, check_adapter, check_fit
from amends.models.base import SHORT, AnswerLoss, Generation, Model, Prompt, Sampling, answered
from amends.models.chat import end_of_turn_token, end_tokens, lead, open_reasoning, plain, render
from amends.models.decoding.batches import length_pools
from amends.models.device import best_device, free_memory
from amends.models.loading import load_model, load_tokenizer
from amends.models.source import ModelSource, find_model
from amends.models.turns import Turn, Turns
from amends.models.weights import weights_digest
from amends.progress import ProgressCallback, no_progress
from amends.seeds import derive_seed
from amends.storage.files import directory_fingerprint, fingerprint
from amends.text.reasoning import has_reasoning, without_reasoning

ROWS_AT_ONCE = {"cuda": 4_096}  # twice the slots (slots.py), so that they stay full while rows end and rounds shrink


class LocalModel(Model):
    """A causal language model with its chat template. Loads on first use; `fingerprint` needs no loading.

    Args:
        name: `embedded`, a model directory or a hub id.
        adapter: a PEFT adapter directory trained on that model, or on one of its shape.
        device: `cpu` or `cuda`; the best there is by default.
        template_options: what the chat template is given beside the messages, as guard models' templates want.
        system_prompt: the system turn of all conversations that have none of their own.

    Raises ModelError at once where the model is unknown, or the adapter is none. Whether it fits is said by `check`.
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
        self.system_prompt, self.adapter = system_prompt, adapter
        self.source = find_model(name, system_prompt)
        if adapter is not None:
            check_adapter(adapter)
        self._device = device
        self._template_options = dict(template_options or {})
        self._model: Any = None
        self._tokenizer: Any = None
        self.refuse()

    def refuse(self, weights: Collection[str] = (), prompts: Collection[Prompt] = ()) -> None:
        """Says which weights, by their digests, it must not answer with, and which prompts it must not be asked.

        What is measured by it would not be what it is said to be. Raises MeasurementError where such weights are
        loaded; else they and the prompts are looked for when it loads, or is asked.
        """
        self._weights_refused, self._prompts_refused = frozenset(weights), tuple(prompts)
        self._tokens_refused: frozenset[tuple[int, ...]] | None = None
        if self._model is not None:
            self._check_weights()

    def heed(self, other: Model) -> None:
        """Refuses from now on what another local model of its fingerprint refuses."""
        if isinstance(other, LocalModel):
            self.refuse(other._weights_refused, other._prompts_refused)

    def _check_weights(self) -> None:
        if self._weights_refused and weights_digest(self._model) in self._weights_refused:
            self._model = None
            raise MeasurementError(
                f"{self.adapter or self.name}: what was trained answers with the weights that its training began from, "
                "so that nothing of it would be measured; train it again (remove that directory), and report this"
            )

    @property
    def fingerprint(self) -> str:
        """Hash of the model's and the adapter's files."""
        return self._fingerprint(self.source)

    @property
    def identity(self) -> str:
        """The fingerprint of the same model without a system prompt."""
        return self._fingerprint(replace(self.source, system_prompt=None))

    def _fingerprint(self, source: ModelSource) -> str:
        adapter = directory_fingerprint(self.adapter) if self.adapter else None
        return fingerprint(model=source.fingerprint(), adapter=adapter)

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
            self._check_weights()
        return self._model

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.model.config.get_text_config().num_hidden_layers)

    @property
    def capacity(self) -> int | None:
        """Rows that fill its device; None where the caller's own number does."""
        return ROWS_AT_ONCE.get(self._device or best_device())

    def remarks(self) -> list[str]:
        """That its adapter names another base, where it does."""
        return base_remarks(self.adapter, self.source) if self.adapter else []

    def release(self) -> None:
        """Frees the weights; the next use loads them again."""
        if self._model is not None:
            self._model = None
            free_memory()

    def __getstate__(self) -> dict[str, Any]:
        """All but what it has loaded: another process loads for itself."""
        return vars(self) | {"_model": None, "_tokenizer": None}

    def render(self, prompt: Prompt) -> str:
        """The text that the model continues: chat template, generation prompt, prefill."""
        tokenizer = self.tokenizer
        try:
            text = render(prompt.messages, tokenizer, True, **self._template_options)
        except ModelError as error:
            raise ModelError(
                f"{self.name}: {error}; choose a guide with another place, or leave these turns out"
            ) from error
        return text + (lead(tokenizer) + prompt.prefill if prompt.prefill else "")

    def check(self, prompt: Prompt) -> None:
        """Raises ModelError where the adapter does not fit, or the chat template the prompt; loads no weights.

        A template fits that has a place for the messages and does not always open reasoning.
        """
        if self.adapter is not None:
            check_fit(self.source, self.adapter)
        if tag := open_reasoning(self.render(replace(prompt, prefill=""))):
            raise ModelError(
                f"{self.name}: its chat template begins every answer with {tag}, a block of reasoning that "
                "enable_thinking=false does not close; amends needs a model that can answer without"
            )

    def _encode(self, prompt: Prompt) -> list[int]:
        return list(self.tokenizer(self.render(prompt), add_special_tokens=False).input_ids)

    def _asked(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Their tokens. Raises MeasurementError for those that it must not be asked."""
        encoded = [self._encode(prompt) for prompt in prompts]
        if self._tokens_refused is None:
            self._tokens_refused = frozenset(tuple(self._encode(prompt)) for prompt in self._prompts_refused)
        if any(tuple(ids) in self._tokens_refused for ids in encoded):
            raise MeasurementError(
                f"{self.name}: guided and unguided inference ask the same prompt, token for token, so that nothing of "
                "the guide would be measured; choose another respond.guide, or report this"
            )
        return encoded

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """Answers in the order of `prompts`. What is decoded together depends on the prompts' lengths alone.

        Rows share random streams, so the function is one of the whole list, not row by row. A prompt that leaves no
        room in the model's context gets no answer: an empty one that is not finished.
        """
        from amends.models.decoding.decoders import BatchDecoder, SlotDecoder
        from amends.models.decoding.sampling import Sampler
        from amends.models.decoding.slots import can_decode_in_slots, slots_for

        encoded = self._asked(prompts)
        fitting = self._fitting(encoded, sampling.max_new_tokens)
        results = [Generation(text="", finished=False, tokens=0)] * len(prompts)
        ends = end_tokens(self.tokenizer, self.model.generation_config)
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
                results[row] = self.generation_of(output, ends)
        return results

    def generate_until_taken(
        self, turns: Turns, sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> None:
        """All attempts in one batch, each with numbers of its own; in rounds where layers need their own caches."""
        from amends.models.decoding.attempts import decode_turns
        from amends.models.decoding.slots import can_decode_in_slots

        new, attempts = sampling.max_new_tokens, range(turns.attempts)
        if not turns.first():
            return
        asked = {turn: turns.prompt(turn) for row in range(turns.rows) for turn in (Turn(row, one) for one in attempts)}
        distinct = list(dict.fromkeys(asked.values()))
        encoded = self._asked(distinct)
        fitting = {distinct[place]: encoded[place] for place in self._fitting(encoded, new)}
        prompts = {turn: fitting[prompt] for turn, prompt in asked.items() if prompt in fitting}
        if not can_decode_in_slots(self.model, max(map(len, prompts.values()), default=0) + new):
            super().generate_until_taken(turns, sampling, seed, progress)
            return
        ends, padding = end_tokens(self.tokenizer, self.model.generation_config), self.tokenizer.pad_token_id
        read = partial(self.generation_of, ends=ends)
        decode_turns(self.model, turns, prompts, read, sampling, seed, ends, padding, progress)

    def _fitting(self, encoded: list[list[int]], new_tokens: int) -> list[int]:
        """The rows whose prompt and answer fit into the model's context."""
        context = self._context()
        if new_tokens >= context:
            raise InputError(f"{self.name}: {new_tokens} new tokens are all of its context; lower max_new_tokens")
        fitting = [row for row, ids in enumerate(encoded) if len(ids) + new_tokens <= context]
        if not fitting and self.source.system_prompt and len(self._encode(SHORT)) + new_tokens > context:
            raise InputError(f"{self.name}: the system prompt leaves no room for an answer; shorten it")
        return fitting

    def _context(self) -> float:
        """How many tokens a prompt and its answer may have together."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or math.inf

    def answer_losses(self, pairs: Sequence[tuple[Prompt, str]], ended: bool = True) -> list[tuple[float, int]]:
        """Negative log-likelihood in nats, summed over each answer's tokens, and their number.

        With its end of turn, unless the answer is an opening that goes on (`ended` is false).
        """
        from amends.models.losses import losses_of

        answers = self._answers(pairs, ended)
        losses = losses_of(self.model, answers, self.tokenizer.pad_token_id)
        return [(loss, len(answer)) for loss, (_, answer) in zip(losses, answers, strict=True)]

    def answer_divergences(self, pairs: Sequence[tuple[Prompt, str]], start: Model) -> list[AnswerLoss]:
        """Losses of answers with their ends of turn, and KL(self || start) in nats, summed over the same tokens.

        Both models are in memory then. Raises ModelError where the start is none that is loaded here.
        """
        from amends.models.losses import divergences_of

        if not isinstance(start, LocalModel):
            return super().answer_divergences(pairs, start)
        answers = self._answers(pairs, ended=True)
        found = divergences_of(self.model, start.model, answers, self.tokenizer.pad_token_id)
        return [
            AnswerLoss(loss, len(answer), divergence)
            for (loss, divergence), (_, answer) in zip(found, answers, strict=True)
        ]

    def _answers(self, pairs: Sequence[tuple[Prompt, str]], ended: bool) -> list[tuple[list[int], list[int]]]:
        """The tokens of prompts and of answers to them."""
        contexts = self._asked([prompt for prompt, _ in pairs])
        end = [end_of_turn_token(self.tokenizer)] if ended else []
        opening = lead(self.tokenizer)
        texts = [("" if prompt.prefill else opening) + plain(answer, self.tokenizer) for prompt, answer in pairs]
        answers = [[*self.tokenizer(text, add_special_tokens=False).input_ids, *end] for text in texts]
        return list(zip(contexts, answers, strict=True))

    def generation_of(self, ids: list[int], ends: frozenset[int]) -> Generation:
        """The answer that tokens spell: up to the first that ends it, and without reasoning."""
        length = next((position for position, token in enumerate(ids) if token in ends), None)
        kept = ids[:length]
        text = self.tokenizer.decode(kept, skip_special_tokens=True).strip()
        whole = self.tokenizer.decode(kept)  # the marks of reasoning are special tokens of some models
        if has_reasoning(whole) and not has_reasoning(text):
            again = self.tokenizer(without_reasoning(whole), add_special_tokens=False).input_ids
            answer = self.tokenizer.decode(again, skip_special_tokens=True).strip()
            return Generation(answer, length is not None and bool(answer), len(kept))
        return answered(text, length is not None, len(kept))
