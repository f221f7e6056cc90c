"""A model that answers, by its name in a configuration or on the command line."""

from pathlib import Path

from amends.models.endpoint import PREFIX, EndpointModel
from amends.models.local import LocalModel


def load_generator(
    name: str, system_prompt: str | None = None, adapter: Path | None = None
) -> LocalModel | EndpointModel:
    """`endpoint:MODEL@URL`, else a local model, which may have an adapter. Raises InputError and ModelError as these do."""
    if name.startswith(PREFIX) and not adapter:
        return EndpointModel.named(name, system_prompt=system_prompt)
    return LocalModel(name, adapter, system_prompt=system_prompt)
