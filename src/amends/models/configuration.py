"""A model's configuration, before its weights: the size of its vocabulary, and its shapes without numbers."""

from typing import Any

from amends.errors import ModelError, in_a_line
from amends.models.libraries import quiet_libraries
from amends.models.source import ModelSource


def read_configuration(source: ModelSource) -> Any:
    """transformers' configuration of a model. Raises ModelError where it cannot be read."""
    from transformers import AutoConfig

    quiet_libraries()
    commit = source.commit()
    try:
        return AutoConfig.from_pretrained(source.location, revision=commit, trust_remote_code=False)
    except Exception as error:
        raise ModelError(f"{source.name}: cannot be loaded: its config.json: {in_a_line(error)}") from error


def read_generation(source: ModelSource) -> Any:
    """How a model generates by its own files, as the loaded model has it; where they say nothing, by its configuration.

    Raises ModelError where that cannot be read.
    """
    from transformers import GenerationConfig

    try:
        return GenerationConfig.from_pretrained(source.location, revision=source.commit())
    except OSError:
        return GenerationConfig.from_model_config(read_configuration(source))


def mended(configuration: Any) -> dict[str, Any]:
    """What a configuration has to have otherwise: of a padding token without an embedding torch makes no model."""
    padding, size = getattr(configuration.get_text_config(), "pad_token_id", None), vocabulary(configuration)
    return {"pad_token_id": None} if isinstance(padding, int) and 0 < size <= padding else {}


def vocabulary(configuration: Any) -> int:
    """How many embeddings the model has; 0 where its configuration does not say."""
    size = getattr(configuration.get_text_config(), "vocab_size", None)
    return size if isinstance(size, int) else 0


def empty_model(source: ModelSource) -> Any:
    """The model on torch's meta device: every module and shape, and no numbers.

    Raises ModelError where transformers makes no causal language model of it.
    """
    import torch
    from transformers import AutoModelForCausalLM

    configuration = read_configuration(source)
    configuration.get_text_config().update(mended(configuration))
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(configuration, trust_remote_code=False)
    except Exception as error:
        raise ModelError(
            f"{source.name}: transformers makes no causal language model of it: {in_a_line(error)}"
        ) from error
