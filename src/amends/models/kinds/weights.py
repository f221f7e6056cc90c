"""A directory with a model's weights, or a model of the Hugging Face hub by its id."""

from pathlib import Path

from amends.models.base import Model
from amends.models.kinds import MODELS, ModelKind
from amends.storage.files import expanded


def owns(name: str) -> bool:
    """Whether it is written as a path or a hub id, or something of that name is there."""
    return "/" in name or expanded(name).exists()


def make(name: str, system_prompt: str | None, adapter: Path | None) -> Model:
    """The model that is there; ModelError says what is wrong where there is none."""
    from amends.models.hf import LocalModel

    return LocalModel(name, adapter, system_prompt=system_prompt)


MODELS.register(
    "weights",
    ModelKind(
        "an existing model directory or a hub id (owner/name)",
        "safetensors weights and a tokenizer with a chat template, loaded here",
        owns,
        make=make,
        has_weights=True,
    ),
)
