"""A base in 4 bits under an adapter that is trained (QLoRA), by bitsandbytes: NF4, its constants quantized, too.

Source: Dettmers et al. 2023, arXiv 2305.14314; huggingface.co/docs/transformers/quantization/bitsandbytes.
"""

import importlib.util
from typing import Any

from amends.errors import InputError
from amends.models.device import best_device, best_dtype
from amends.models.loading import load_weights
from amends.models.size import Size
from amends.models.source import ModelSource
from amends.models.weights import weights_digest

NUMBER_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
"""Of a weight: 4 bits, 8 of a constant for each 64 weights, and 32 for each 256 of these (section 3)."""


def refuse_missing_package() -> None:
    """Raises InputError where bitsandbytes is not installed."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise InputError("train.quantization: bitsandbytes is not installed; pip install 'amends[quantized]', or null")


def weights_bytes(size: Size) -> int:
    """Bytes of a model's weights: those of its linear layers in 4 bits, embeddings and output layer as they were."""
    linear = sum(inputs * outputs for inputs, outputs in size.linear.values())
    return int(linear * NUMBER_BYTES) + (size.parameters - linear) * size.number_bytes


def load_quantized(source: ModelSource) -> Any:
    """A causal language model whose linear layers are in 4 bits and compute in this device's own precision.

    Raises ModelError where the files are missing or damaged.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    device = best_device()
    told = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=best_dtype(device),
    )
    place = torch.cuda.current_device() if device == "cuda" else device
    model = load_weights(AutoModelForCausalLM, source, device, quantization_config=told, device_map={"": place})
    for layer in model.modules():
        # On a CPU it would pack its weights for answering when it first answers, and from then on pass no gradient.
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return model.eval()


def widen(model: Any) -> None:
    """Has what is trained in float32 again: TRL narrows adapters of such a base, and small steps would be lost."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def digest_of_whole(source: ModelSource) -> str:
    """The digest of a model's weights as they answer: those in 4 bits have another."""
    from transformers import AutoModelForCausalLM

    return weights_digest(load_weights(AutoModelForCausalLM, source, "cpu", dtype=best_dtype(best_device())))
