"""The section `executor` of a configuration: where chunks are worked on, and what that executor is told."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, model_validator

from amends.settings.gathered import Gathered, keys_of_all
from amends.stages.executors import EXECUTORS, ExecutorName

DOC = """Where the chunks of the stages are worked on (docs/guides/scaling.md). It changes no result, unless it has an
engine, which then answers in the model's place.

`executor: ray` is short for `executor: {name: ray}`.
"""


class ExecutorsSettings(Gathered):
    """The executor by its name, and what it is told."""

    name: ExecutorName = Field(
        default="local", description="Who works on them: `local` is this process, `ray` the workers of a cluster."
    )

    @model_validator(mode="before")
    @classmethod
    def _by_its_name(cls, values: Any) -> Any:
        return {"name": values} if isinstance(values, str) else values

    @classmethod
    def brought(cls) -> dict[str, Any]:
        """The keys of all executors. Raises InputError where two have one of the same name."""
        return keys_of_all("executor", {name: kind.settings for name, kind in EXECUTORS.items()})


if TYPE_CHECKING:

    class ExecutorSettings(ExecutorsSettings):
        """The executor by its name, and what it is told."""
else:
    ExecutorSettings = create_model(
        "ExecutorSettings",
        __base__=ExecutorsSettings,
        __module__=__name__,
        __doc__=DOC,
        **ExecutorsSettings.brought(),
    )
