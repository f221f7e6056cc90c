"""TRL's fused output layer on a CPU: only where there is loss, in the weights' precision, tiles of tokens at a time."""

import functools
import types
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from trl.kernels import ChunkedLogProbFunction
from trl.trainer.utils import FusedCausalLMOutput

from amends.errors import ModelError, in_a_line, memory_is_full

SCALED_LOGITS = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
TILE_TOKENS = 1024  # with the embedded model's vocabulary 0.2 GB of float32; more tokens are computed again going back


def score_labels_alone(model: Any, temperature: float = 1.0) -> None:
    """Has a model that one of TRL's trainers made ready score the tokens with a label, and no others.

    All of TRL's trainers call `model(..., labels=labels, fused_lm_head=True)`. On a device without Triton, TRL 1.16
    answers with the scores of every position, prompts and padding too, and their gradient in float32 (dev/log/2026.md).
    The log-probabilities stay the same. What TRL only logs (entropy, mean logits, the likeliest token) is 0: it takes
    a tenth of the time. Elsewhere, and for models whose logits are scaled after the output layer, nothing changes.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    if core.device.type != "cpu" or scales_logits(core):
        return
    whole = core.forward

    @functools.wraps(type(core).forward)  # `generate` looks at the signature
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head or "labels" not in kwargs or "shift_labels" in kwargs:
            return whole(*args, **kwargs, **({"fused_lm_head": True} if fused_lm_head else {}))
        labels, items = kwargs.pop("labels")[:, 1:], kwargs.pop("num_items_in_batch", None)
        mask = labels != -100
        hidden = self.base_model(*args, **kwargs | {"use_cache": False}).last_hidden_state[:, :-1]
        found = _scores(self.get_output_embeddings(), hidden[mask], labels[mask], temperature)
        log_probs = found.new_zeros(mask.shape).masked_scatter(mask, found)
        unknown = torch.zeros_like(log_probs)
        return FusedCausalLMOutput(
            loss=-log_probs.sum() / (mask.sum().clamp(min=1) if items is None else items),
            log_probs=log_probs,
            entropy=unknown,
            mean_logits=unknown,
            is_top1=torch.zeros_like(mask),
            label_mask=mask,
        )

    core.forward = types.MethodType(forward, core)


def check_kernels(device: str) -> None:
    """Compiles, and tries, TRL's output layer for a device. Raises ModelError where it cannot be compiled."""
    hidden, weight = (torch.zeros(rows, 64, device=device, requires_grad=True) for rows in (1, 64))
    labels = torch.zeros(1, dtype=torch.long, device=device)
    try:
        ChunkedLogProbFunction.apply(hidden, weight, None, labels, 1.0, 64)[0].sum().backward()
    except Exception as error:  # of Triton, of the compiler that it calls, or of what reads either
        if memory_is_full(error):
            raise
        raise ModelError(
            f"training on {device} compiles its kernels here, which fails ({in_a_line(error)}); install gcc and your "
            "Python's headers (python3-dev)"
        ) from error


def _scores(layer: Any, hidden: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Log-probability [tokens] of each label [tokens], given hidden states [tokens, hidden]."""
    parts = list(zip(hidden.split(TILE_TOKENS), labels.split(TILE_TOKENS), strict=True))
    if len(parts) == 1:
        return _tile(layer, *parts[0], temperature)
    return torch.cat([checkpoint(_tile, layer, *part, temperature, use_reentrant=False) for part in parts])


def _tile(layer: Any, hidden: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    logits = layer(hidden).float()
    scaled = logits if temperature == 1 else logits / temperature
    return -torch.nn.functional.cross_entropy(scaled, labels, reduction="none")


def scales_logits(model: Any) -> bool:
    """Whether the model does more with its logits than to multiply, so that they cannot be computed in its place."""
    shape = model.config.get_text_config()
    return any(getattr(shape, name, None) for name in SCALED_LOGITS)
