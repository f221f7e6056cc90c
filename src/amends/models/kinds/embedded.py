"""`embedded`: the model that comes with amends."""

from pathlib import Path

from amends.models.base import Model
from amends.models.kinds import MODELS, ModelKind


def make(argument: str, system_prompt: str | None, adapter: Path | None) -> Model:
    """The embedded model."""
    from amends.models.hf import LocalModel

    return LocalModel("embedded", adapter, system_prompt=system_prompt)


MODELS.register(
    "embedded", ModelKind("`embedded`", "SmolLM2-135M-Instruct, which comes with amends", make=make, has_weights=True)
)
