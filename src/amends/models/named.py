"""A model that answers, by its name in a configuration or on the command line."""

from amends.models.endpoint import PREFIX, EndpointModel
from amends.models.local import LocalModel


def load_generator(name: str) -> LocalModel | EndpointModel:
    """`endpoint:MODEL@URL`, else a local model. Raises InputError and ModelError as these do."""
    return EndpointModel.named(name) if name.startswith(PREFIX) else LocalModel(name)
