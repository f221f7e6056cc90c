"""The executor of a Ray cluster: chunks go to workers that hold the models, and come back in order, with local's bytes.

Ray Core alone: actors (https://docs.ray.io/en/releases-2.60.0/ray-core/actors.html) without its data layer.
"""

import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from amends.errors import InputError
from amends.judges.base import Judge
from amends.models.base import Model
from amends.models.hf import LocalModel
from amends.pipeline.executors.ray_crew import Crew
from amends.pipeline.executors.ray_engine import EngineTold
from amends.pipeline.executors.ray_flow import Flow
from amends.pipeline.executors.ray_vllm import VllmModel
from amends.settings import Settings
from amends.stages.chunks import Done
from amends.stages.executors import Executor, Process, register_executor
from amends.storage.files import write_atomically


def _an_address(text: str) -> str:
    if text == "auto" or re.fullmatch(r"[^/\s]+:\d{1,5}", text):
        return text
    raise PydanticCustomError("address", "name `auto`, or HOST:PORT of a cluster that this machine is a node of")


class RaySettings(Settings):
    """What the executor of a Ray cluster is told."""

    address: Annotated[str, AfterValidator(_an_address)] | None = Field(
        default=None,
        description="Of ray: the cluster, `auto` for the one that this machine is a node of, or HOST:PORT of its head. "
        "Without it Ray starts on this machine, for as long as amends runs.",
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="Of ray: processes that work on chunks. Without it as many as the cluster has room for.",
    )
    gpus_per_worker: float | None = Field(
        default=None,
        ge=0,
        description="Of ray: GPUs of each worker, .5 where two share one. Without it 1 where the cluster has GPUs. The "
        "CPUs of each are the run's threads.",
    )
    engine: Literal["vllm"] | None = Field(
        default=None,
        description="Of ray: who answers for a model with weights. Without it transformers in the workers; with `vllm` "
        "an engine of each worker, which has its GPUs. The answers are other ones then.",
    )
    environment: str | None = Field(
        default=None,
        description="Of ray's engine: the directory of a virtual environment, or a Python, in which vLLM and Ray are, "
        "at the same place on every node. Without it, the workers' own.",
    )
    engine_options: dict[str, Any] = Field(
        default={},
        description="Of ray's engine: vLLM's own options (`vllm.AsyncEngineArgs`), as in `{max_model_len: 4096}`.",
    )


@register_executor("ray")
class Ray(Executor):
    """Workers of a Ray cluster, on this machine or on many; each holds the models and judges of the work at hand.

    Raises InputError where Ray is not installed.
    """

    settings: ClassVar[type[Settings]] = RaySettings

    def __init__(self, told: RaySettings | None = None) -> None:
        super().__init__(told)
        if importlib.util.find_spec("ray") is None:
            raise InputError("executor ray: Ray is not installed; pip install 'amends[ray]', or choose executor=local")
        self._crew: Crew | None = None

    def answering(self, model: Model) -> Model:
        """The model by its engine, where there is one and the model has weights."""
        return VllmModel(model, self._engine) if self._engine and isinstance(model, LocalModel) else model

    def reach(self) -> None:
        """Raises InputError where the cluster cannot be reached, or has too little room."""
        from amends.pipeline.executors.ray_cluster import connect

        connect(self.told.address)

    def check(self, used: Sequence[Model | Judge], directory: Path) -> None:
        """Starts the workers. Raises InputError where one has other versions, models or judges, or not the directory.

        ModelError, an InputError, is of models and judges.
        """
        crew = self._started()
        seen, content = directory / f".{token_hex(4)}.seen", token_hex(16)
        try:
            write_atomically(seen, content)
            crew.check(used, str(seen.absolute()), content, self._engine)
        finally:
            seen.unlink(missing_ok=True)

    def run(self, process: Process, chunks: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[Done[Any]]:
        """What comes of each chunk, in order. Raises what the process raises, and OutageError where workers stay away.

        A chunk whose worker is lost goes to another one. AmendsError is raised for one that each of several was lost
        with.
        """
        try:
            yield from Flow(self._started(), process).over(chunks)
        except BaseException:
            self.release()  # what is in flight is for nobody any more
            raise

    def release(self) -> None:
        """Ends the workers, and with them what they have loaded; the next chunk starts others."""
        if self._crew is not None:
            self._crew.dismiss()
            self._crew = None

    def _started(self) -> Crew:
        if self._crew is None:
            self.reach()
            self._crew = Crew.of(self.told.workers, self.told.gpus_per_worker)
        return self._crew

    @property
    def _engine(self) -> EngineTold | None:
        told = self.told
        return EngineTold(told.environment, told.engine_options) if told.engine else None
