"""The network that is tuned: lower layers of a model with a LoRA, and a head on the response's mean state; its loss."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from amends.errors import ModelError, in_a_line
from amends.seeds import derive_seed
from amends.training.classifier.settings import ClassifierSettings
from amends.training.classifier.units import Unit

Start = Mapping[str, np.ndarray]
"""Where the head begins: `mean` and `deviation` of the features, `weight` in their units [hidden], and `bias` [1]."""


class PooledClassifier(torch.nn.Module):
    """A decoder without its last layers and a linear head, whose inputs are standardised as they were at the start.

    Args:
        backbone: gives `last_hidden_state` [rows, tokens, hidden].
        start: where the head begins.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, backbone: Any, start: Start) -> None:
        super().__init__()
        self.backbone = backbone
        self.register_buffer("mean", torch.from_numpy(start["mean"]).float(), persistent=False)
        self.register_buffer("deviation", torch.from_numpy(start["deviation"]).float(), persistent=False)
        self.head = torch.nn.Linear(len(start["weight"]), 1)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(start["weight"]).float()[None])
            self.head.bias.copy_(torch.from_numpy(start["bias"]).float())

    def forward(self, input_ids: Any, attention_mask: Any, pooled: Any) -> Any:
        """Log-odds of harmless [rows]; `pooled` [rows, tokens] averages the tokens of each response."""
        states = self.backbone(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        with torch.autocast(states.device.type, enabled=False):  # a mean and a margin want all digits
            means = torch.einsum("bt,bth->bh", pooled, states.float())
            return self.head((means - self.mean) / self.deviation).squeeze(1)


def adapted(backbone: Any, start: Start, settings: ClassifierSettings, seed: int) -> Any:
    """The network with a new LoRA beneath its head. Equal seeds begin with equal weights.

    Raises ModelError where `target_modules` names no layer of the model.
    """
    from peft import LoraConfig, get_peft_model

    if backbone.device.type == "cpu":
        backbone.set_attn_implementation("eager")  # its backward pass takes four fifths of the fused kernel's there
    targets = settings.target_modules
    if targets == "all-linear":
        linear = (name for name, one in backbone.named_modules() if isinstance(one, torch.nn.Linear))
        targets = sorted({name.rpartition(".")[2] for name in linear})
    torch.manual_seed(derive_seed(seed, "adapter"))
    configuration = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=[targets] if isinstance(targets, str) else targets,  # PEFT takes a text for a pattern
        modules_to_save=["head"],
    )
    try:
        return get_peft_model(PooledClassifier(backbone, start), configuration)
    except ValueError as error:
        raise ModelError(f"target_modules: does not fit {settings.model} ({in_a_line(error)})") from error


def loss_of(logits: Any, units: Sequence[Unit], rows: int, all_units: int, pair_weight: float) -> Any:
    """A piece's part of its step's loss: weighted cross-entropy by rows, and by units the pairwise loss.

    The pairwise loss is -log sigmoid(harmless - harmful), as of reward models (Bradley and Terry 1952).

    Args:
        logits: [rows of the piece], in the order of its units.
        rows: with labels of their own in the whole step; `all_units` is the number of its units.
    """
    read = [one for unit in units for one in unit]
    labels, weights = (torch.tensor([getattr(one, key) for one in read]).to(logits) for key in ("label", "weight"))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weights, reduction="sum")
    loss = entropy / max(rows, 1)
    first = np.cumsum([0, *(len(unit) for unit in units)])
    pairs = [int(place) for place, unit in zip(first, units, strict=False) if len(unit) == 2]
    if pairs:
        margins = logits[pairs] - logits[[place + 1 for place in pairs]]
        loss = loss + pair_weight * torch.nn.functional.softplus(-margins).sum() / all_units
    return loss


def learnt(model: Any, start: Start) -> tuple[dict[str, np.ndarray], np.ndarray, float]:
    """The LoRA's arrays by module, and the head's weight [1, hidden] and bias in the space of the raw features."""
    from peft import get_peft_model_state_dict

    adapter, head = {}, {}
    for name, value in get_peft_model_state_dict(model).items():
        array = value.detach().float().cpu().numpy()
        if ".lora_" in name:
            adapter[name.removeprefix("base_model.model.backbone.").removesuffix(".weight")] = array
        else:
            head[name.rpartition(".")[2]] = array
    weight = head["weight"] / start["deviation"]
    return adapter, weight, float(head["bias"][0] - (weight[0] @ start["mean"]))
