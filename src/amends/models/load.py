"""A model by its name in a configuration or on the command line."""

from pathlib import Path

from amends.errors import ModelError
from amends.models.base import Model
from amends.models.hf import LocalModel
from amends.models.kinds import MODELS
from amends.models.source import find_model
from amends.storage.vouched import refuse_damaged


def load_model(name: str, system_prompt: str | None = None, adapter: Path | None = None) -> Model:
    """The model of that name, of any kind that is registered (`models/kinds`); its weights load on first use.

    Args:
        name: `embedded`, a model directory, a hub id, endpoint:MODEL@URL, or one that somebody registered.
        system_prompt: the system turn of all its conversations that have none of their own.
        adapter: a PEFT adapter directory, of models that are loaded here.

    Raises InputError for names that are of no kind, StoreError for an adapter that is not as its training wrote it, and
    as the kind's models do.

    Example:
        >>> load_model("embedded").name
        'embedded'
    """
    if adapter:
        refuse_damaged(adapter)
    kind, argument = MODELS.find(name)
    return kind.make(argument, system_prompt, adapter)


def load_local_model(name: str, system_prompt: str | None = None) -> LocalModel:
    """A model whose weights are loaded here, as training and studies need it.

    Raises InputError for names that are of no kind, ModelError for those of kinds without weights here.

    Example:
        >>> load_local_model("embedded", system_prompt="You answer the mail.").system_prompt
        'You answer the mail.'
    """
    return with_weights(load_model(name, system_prompt))


def weights_here(model: Model) -> LocalModel | None:
    """A model whose weights are loaded here, as it is; None of others, which can be asked and not trained."""
    return model if isinstance(model, LocalModel) else None


def content_of(name: str) -> str:
    """A hash of what a name stands for: of a model's files, or of who is asked elsewhere. Loads no weights.

    Raises as `load_model`.
    """
    kind, argument = MODELS.find(name)
    return find_model(name).fingerprint() if kind.has_weights else kind.make(argument, None, None).identity


def with_weights(model: Model) -> LocalModel:
    """A model whose weights are loaded here, as it is. Raises ModelError, naming those that have them, for others."""
    if local := weights_here(model):
        return local
    named = MODELS.written(*(word for word, one in MODELS.items() if one.has_weights))
    raise ModelError(f"{model.label} has no weights here, which training and studies need; name {named}")
