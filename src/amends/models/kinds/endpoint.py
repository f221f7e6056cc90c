"""`endpoint:MODEL@URL`: a model behind an OpenAI-compatible server."""

from pathlib import Path

from amends.errors import ModelError
from amends.models.base import Model
from amends.models.endpoint.address import read_endpoint
from amends.models.kinds import MODELS, ModelKind


def make(argument: str, system_prompt: str | None, adapter: Path | None) -> Model:
    """The model of that name at that address. Raises InputError where the argument is not of this form."""
    from amends.models.endpoint.model import EndpointModel

    if adapter is not None:
        raise ModelError(
            f"{adapter}: a server takes no adapter; name the model that is loaded here, or serve the adapter"
        )
    return EndpointModel(*read_endpoint(argument), system_prompt=system_prompt)


MODELS.register(
    "endpoint",
    ModelKind("endpoint:MODEL@URL", "a model behind an OpenAI-compatible server, such as `vllm serve`", make=make),
)
