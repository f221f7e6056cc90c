"""The workers of a run on a Ray cluster: those that have arrived, those that are away, and what is checked of them."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from amends.errors import InputError, OutageError, in_a_line
from amends.judges.base import Judge
from amends.models.base import Model
from amends.pipeline.executors.ray_cluster import room_for
from amends.pipeline.executors.ray_engine import EngineTold
from amends.pipeline.executors.ray_worker import TOLD, Ready, Worker, differing, parcel_of

SILENT_SECONDS = 30.0  # how long they are waited for without a word
PATIENCE_SECONDS = 600.0  # how long all workers may be away: nodes that start again, a queue of jobs


class Crew:
    """Workers of a cluster that this process is connected to.

    Args:
        workers: their handles.

    Attributes:
        here: the workers that have arrived.
    """

    def __init__(self, workers: Sequence[Any]) -> None:
        self.here: list[Any] = []
        self._away: dict[Any, Any] = {}
        for worker in workers:
            self.expect(worker)

    @classmethod
    def of(cls, workers: int | None, gpus: float | None) -> "Crew":
        """Starts workers, spread over the nodes. Raises InputError where there is no room for them."""
        import ray
        import torch

        threads = torch.get_num_threads()
        count, gpus = room_for(workers, threads, gpus)
        variables = {name: os.environ[name] for name in TOLD if name in os.environ}
        # One that is lost is started again, where there is room. Its chunks wait for no single worker (ray_flow.py), so
        # that Ray itself tries none of them again.
        kind = ray.remote(Worker).options(
            num_cpus=threads, num_gpus=gpus, max_restarts=-1, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        return cls([kind.remote(threads, gpus, variables) for _ in range(count)])

    def expect(self, worker: Any) -> None:
        """Notes that a worker is away: starting, or starting again."""
        if worker in self.here:
            self.here.remove(worker)
        self._away[worker.ready.options(max_task_retries=-1).remote()] = worker

    def arrive(self, reference: Any) -> None:
        """Takes in a worker that has arrived. Raises InputError where it cannot work, or has other versions."""
        import ray

        worker = self._away.pop(reference)
        try:
            ready: Ready = ray.get(reference)
        except ray.exceptions.RayError as error:
            raise InputError(
                f"executor ray: a worker cannot start: {in_a_line(error)}; install the same amends on every node"
            ) from error
        if other := differing(ready.versions):
            raise InputError(
                f"executor ray: node {ready.address} has another {other}; install the same versions on every node"
            )
        self.here.append(worker)

    def wait(self, others: Sequence[Any] = ()) -> list[Any]:
        """Waits until a worker arrives or one of other references is ready, and returns which of these are.

        Raises OutageError where no worker is here, and none arrives within `PATIENCE_SECONDS`.
        """
        import ray

        every = [*others, *self._away]
        if not self.here and not ray.wait(every, timeout=SILENT_SECONDS)[0]:
            print("amends: waiting for a worker; `ray status` says what the cluster does", file=sys.stderr)
        if not ray.wait(every, timeout=None if self.here else PATIENCE_SECONDS)[0]:
            raise OutageError(
                f"executor ray: no worker has come within {PATIENCE_SECONDS:g} seconds; see `ray status` for nodes "
                "that are gone, and for other jobs. The same command goes on from there"
            )
        ready, _ = ray.wait(every, num_returns=len(every), timeout=0)
        for reference in [one for one in ready if one in self._away]:
            self.arrive(reference)
        return [one for one in ready if one in set(others)]

    def check(self, used: Sequence[Model | Judge], path: str, content: str, engine: EngineTold | None = None) -> None:
        """Waits for the workers, for the last of them not long. What comes later is checked with its first chunk.

        Raises InputError where one does not see a file or could start no engine, ModelError where a model differs.
        """
        import ray

        while self._away and (not self.here or ray.wait(list(self._away), timeout=SILENT_SECONDS)[0]):
            self.wait()
        try:
            see = ray.get([worker.sees.remote(path, content) for worker in self.here])
            ray.get([worker.hold.remote(parcel_of(used)) for worker in self.here])
            problems = ray.get([worker.problem_of.remote(engine) for worker in self.here]) if engine else []
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise OutageError(
                f"executor ray: a worker was lost: {in_a_line(error)}; run the same command again"
            ) from error
        if problem := next(filter(None, problems), ""):
            raise InputError(f"executor.engine: {problem}; name with executor.environment where vLLM is on every node")
        if not all(see):
            raise InputError(
                f"executor ray: a worker does not see the run directory ({path}), from which it reads adapters; choose "
                "--out on a file system that all nodes share, at the same place"
            )

    def dismiss(self) -> None:
        """Ends all workers."""
        import ray

        for worker in (*self.here, *self._away.values()) if ray.is_initialized() else ():
            ray.kill(worker)
