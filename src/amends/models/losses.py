"""Losses and divergences of given answers, in batches of a budget of tokens; what several follow is read once."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from amends.models.decoding.batches import length_batches, right_padded
from amends.models.decoding.slots import attends_to_all

LOSS_TOKENS = {"cpu": 2_048, "cuda": 16_384}  # few: there may be logits over the whole vocabulary at most tokens
PIECE_TOKENS = 256  # of which probabilities over the whole vocabulary are held at once, of two models

Answer = tuple[list[int], list[int]]
"""The tokens of a context, of which there is at least one, and those of the answer."""


def losses_of(model: Any, answers: Sequence[Answer], padding: int) -> list[float]:
    """Negative log-likelihood of each answer in nats, summed over its tokens.

    Args:
        model: a causal language model of transformers.
        answers: of any lengths, in any order.
        padding: the token that fills rows; it is masked.
    """
    results = [0.0] * len(answers)
    contexts: dict[tuple[int, ...], list[int]] = {}
    for place, (context, _) in enumerate(answers):
        contexts.setdefault(tuple(context), []).append(place)
    shared = 2 * len(contexts) <= len(answers) and _can_go_on(model) and all(len(one) > 1 for one in contexts)
    groups = list(contexts.values()) if shared else [[place] for place in range(len(answers))]
    lengths = [max(len(answers[place][0]) + len(answers[place][1]) for place in group) for group in groups]
    for batch in length_batches(lengths, LOSS_TOKENS[model.device.type]):
        places = [place for group in batch for place in groups[group]]
        found = _group_losses(model, [[answers[place] for place in groups[one]] for one in batch], padding, shared)
        for place, loss in zip(places, found, strict=True):
            results[place] = loss
    return results


def _group_losses(model: Any, groups: Sequence[Sequence[Answer]], padding: int, shared: bool) -> list[float]:
    with torch.inference_mode():
        if shared:
            return _over_read_contexts(model, groups, padding)
        return _whole(model, [answer for group in groups for answer in group], padding)


def divergences_of(model: Any, start: Any, answers: Sequence[Answer], padding: int) -> list[tuple[float, float]]:
    """Loss of each answer and KL(model || start) of the next token, both in nats and summed over the answer's tokens.

    The divergence is exact, over the whole vocabulary, and not estimated from what was drawn.

    Args:
        model, start: causal language models of transformers with one vocabulary.
        answers: of any lengths, in any order.
        padding: the token that fills rows; it is masked.
    """
    results = [(0.0, 0.0)] * len(answers)
    lengths = [len(context) + len(answer) for context, answer in answers]
    budget = LOSS_TOKENS[model.device.type] // 2  # there are logits of two models
    for places in length_batches(lengths, budget):
        batch = [answers[place] for place in places]
        with torch.inference_mode():
            (logits, firsts), (others, _) = (_answer_logits(one, batch, padding) for one in (model, start))
            texts = [answer for _, answer in batch]
            found = zip(_summed(logits, firsts, texts), _diverging(logits, others, firsts, texts), strict=True)
        for place, one in zip(places, found, strict=True):
            results[place] = one
    return results


def _whole(model: Any, batch: Sequence[Answer], padding: int) -> list[float]:
    logits, firsts = _answer_logits(model, batch, padding)
    return _summed(logits, firsts, [answer for _, answer in batch])


def _answer_logits(model: Any, batch: Sequence[Answer], padding: int) -> tuple[torch.Tensor, list[int]]:
    """Contexts and answers in one pass: logits [rows, tokens, vocabulary], and where each row's answer is foretold."""
    inputs, mask = right_padded([context + answer for context, answer in batch], padding)
    device, behind = model.device, inputs.shape[1] - min(len(context) for context, _ in batch) + 1
    logits = model(
        input_ids=inputs.to(device), attention_mask=mask.to(device), use_cache=False, **_logits(model, behind)
    ).logits
    left_out = inputs.shape[1] - logits.shape[1]
    return logits, [len(context) - 1 - left_out for context, _ in batch]


def _over_read_contexts(model: Any, groups: Sequence[Sequence[Answer]], padding: int) -> list[float]:
    """Each context once, all but its last token; then that and its answers, over the keys and values of the rest."""
    device = model.device
    contexts = [group[0][0] for group in groups]
    inputs, mask = right_padded([context[:-1] for context in contexts], padding)
    cache = model(
        input_ids=inputs.to(device), attention_mask=mask.to(device), use_cache=True, **_logits(model, 1)
    ).past_key_values
    copies = torch.tensor([row for row, group in enumerate(groups) for _ in group])
    cache.batch_select_indices(copies.to(device))
    batch = [answer for group in groups for answer in group]
    tails, tail_mask = right_padded([[context[-1], *answer[:-1]] for context, answer in batch], padding)
    starts = torch.tensor([len(context) - 1 for context, _ in batch])
    logits = model(
        input_ids=tails.to(device),
        attention_mask=torch.cat([mask[copies], tail_mask], 1).to(device),
        position_ids=(starts[:, None] + torch.arange(tails.shape[1])).to(device),
        past_key_values=cache,
        use_cache=True,
    ).logits
    return _summed(logits, [0] * len(batch), [answer for _, answer in batch])


def _can_go_on(model: Any) -> bool:
    """Whether it can go on behind padded keys and values: it sees all of them, and is told positions."""
    return attends_to_all(model.config) and "position_ids" in inspect.signature(model.forward).parameters


def _logits(model: Any, count: int) -> dict[str, int]:
    """What asks a model for the last logits alone, where it can leave the others out."""
    return {"logits_to_keep": count} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def _summed(logits: torch.Tensor, firsts: Sequence[int], answers: Sequence[list[int]]) -> list[float]:
    """Of logits [rows, tokens, vocabulary], from each row's first place on, the losses of its answer's tokens."""
    losses = [
        torch.nn.functional.cross_entropy(
            logits[row, first : first + len(answer)].float(),
            torch.tensor(answer, device=logits.device),
            reduction="sum",
        )
        for row, (first, answer) in enumerate(zip(firsts, answers, strict=True))
    ]
    return [float(one) for one in torch.stack(losses).tolist()]  # waits for a GPU once


def _diverging(
    logits: torch.Tensor, others: torch.Tensor, firsts: Sequence[int], answers: Sequence[list[int]]
) -> list[float]:
    """Of two models' logits [rows, tokens, vocabulary], KL(first || second) summed over each row's answer, in nats."""
    sums = []
    for row, (first, answer) in enumerate(zip(firsts, answers, strict=True)):
        pieces = (one[row, first : first + len(answer)].split(PIECE_TOKENS) for one in (logits, others))
        parts = []
        for pair in zip(*pieces, strict=True):
            own, other = (piece.float().log_softmax(-1) for piece in pair)
            parts.append(torch.nn.functional.kl_div(other, own, reduction="sum", log_target=True))
        sums.append(torch.stack(parts).sum())
    return [float(one) for one in torch.stack(sums).tolist()]
