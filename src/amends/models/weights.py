"""A digest of a model's weights that costs little: of a 7B model in memory, a second and no second load."""

import hashlib
from typing import Any

from amends.models.device import best_dtype

SAMPLED = (
    4_096  # numbers of each weight; a training that leaves all of these as they were has changed nothing to speak of
)


def weights_digest(model: Any) -> str:
    """Hash over a sample of each weight, in the precision that models answer in; adapters that are not merged left out.

    The same for a model as it was loaded, with an adapter beside its weights, and in float32 for full training.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    digest = hashlib.sha256()
    for name, weight in core.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            continue
        flat = weight.detach().flatten()
        sample = flat[:: max(1, len(flat) // SAMPLED)][: 2 * SAMPLED]
        digest.update(name.replace(".base_layer", "").replace(".original_module", "").encode())
        digest.update(sample.to(best_dtype(sample.device.type)).float().cpu().numpy().tobytes())
    return digest.hexdigest()
