"""What a worker of a Ray cluster does: it holds the models and judges of the work at hand, and does chunks of it."""

import importlib.metadata
import io
import os
import pickle
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import amends
from amends.errors import InputError, ModelError, in_a_line
from amends.judges.base import Judge
from amends.judges.preference import PreferenceJudge
from amends.models.base import Model
from amends.models.threads import SET as THREADS
from amends.pipeline.executors.ray_engine import EngineTold, problem_of
from amends.progress import observed
from amends.stages.chunks import Done
from amends.stages.executors import Process
from amends.storage.files import file_digest, fingerprint

LIBRARIES = ("torch", "transformers", "tokenizers", "numpy")
"""Those that decide what a model answers."""
TOLD = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "AMENDS_REQUEST_SECONDS")
"""Variables that a worker has from who asks it. Keys of servers are none: each node has its own."""
HELD = (Model, Judge, PreferenceJudge)


class Parcel(NamedTuple):
    """A work as it is sent: `work` is pickled with the names of its models and judges, which stand in `held`."""

    work: bytes
    held: Mapping[str, bytes]


def parcel_of(process: Process | Sequence[Model | Judge]) -> Parcel:
    """A work, or models and judges alone, as it is sent. Raises InputError where something of it cannot be."""
    from ray import cloudpickle

    held: dict[str, bytes] = {}

    class Packer(cloudpickle.CloudPickler):
        def persistent_id(self, thing: Any) -> str | None:
            if not isinstance(thing, HELD):
                return None
            name = f"{type(thing).__module__}.{type(thing).__qualname__} {thing.fingerprint}"
            held.setdefault(name, cloudpickle.dumps(thing))
            return name

    stream = io.BytesIO()
    try:
        Packer(stream).dump(process)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise InputError(
            f"executor ray: a model or judge cannot be sent to workers ({in_a_line(error)}); write its `__getstate__` "
            "without what it has opened or loaded, or choose executor=local"
        ) from error
    return Parcel(stream.getvalue(), held)


@cache
def versions() -> dict[str, str]:
    """What the results depend on beside models and judges: versions, and the very code of amends."""
    root = Path(amends.__file__).parent
    code = {str(path.relative_to(root)): file_digest(path) for path in sorted(root.rglob("*.py"))}
    found = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "amends": amends.__version__,
        "Python": platform.python_version(),
        **found,
        "code of amends": fingerprint(**code),
    }


def differing(there: Mapping[str, str]) -> str:
    """What is another version on a worker than here, in words; empty where nothing is."""
    here = versions()
    other = [name for name in here if here[name] != there.get(name)]
    said = [name if name.startswith("code") else f"{name} {there.get(name)} (here {here[name]})" for name in other]
    return ", ".join(said)


class Ready(NamedTuple):
    """What a worker says of itself when it has started: its node's address, and its versions."""

    address: str
    versions: Mapping[str, str]


class Worker:
    """One process of a cluster. It keeps what it has loaded as long as the next work is done with the same.

    Args:
        threads: that torch computes with, as where the run is: other numbers round in other ways.
        gpus: of its own; without any it computes on the CPU.
        variables: of the environment, set before a library reads them.
    """

    def __init__(self, threads: int, gpus: float, variables: Mapping[str, str]) -> None:
        from amends.training.environment import take_out

        take_out()
        os.environ.update(variables, **dict.fromkeys(THREADS, str(threads)))  # before torch is loaded, by what needs it
        if not gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._held: dict[str, Any] = {}
        self._at_hand: tuple[Any, Process] | None = None

    def ready(self) -> Ready:
        """Says that it has started."""
        import ray

        return Ready(ray.util.get_node_ip_address(), versions())

    def sees(self, path: str, content: str) -> bool:
        """Whether a file of this content is there."""
        try:
            return Path(path).read_text(encoding="utf-8") == content
        except OSError:
            return False

    def problem_of(self, engine: EngineTold) -> str:
        """Why no engine can be started from here, with the node's address; empty where nothing stands in the way."""
        import ray

        problem = problem_of(engine)
        return f"node {ray.util.get_node_ip_address()}: {problem}" if problem else ""

    def hold(self, parcel: Parcel) -> Any:
        """Unpacks a parcel. What is not in it any more is freed, what was held before is kept, with all it has loaded.

        Raises ModelError where a model or judge is not the same here.
        """
        before, self._held, self._at_hand = self._held, {}, None

        def find(name: str) -> Any:
            if name not in self._held:
                self._held[name] = _received(name, parcel.held[name], before.get(name))
            return self._held[name]

        try:
            return _Unpacker(parcel.work, find).load()
        finally:
            for name in before.keys() - self._held.keys():
                before[name].release()

    def work(self, parcel: Sequence[Any], number: int, chunk: Sequence[Any]) -> tuple[Done[Any], int]:
        """What comes of a chunk, and how many tokens were generated on the way.

        `parcel` is a list of a reference, so that it is fetched where it is another one than before.
        """
        import ray

        (reference,) = parcel
        if self._at_hand is None or self._at_hand[0] != reference:
            work = self.hold(ray.get(reference))
            self._at_hand = reference, work
        generated = 0

        def count(rows: int, tokens: int) -> None:
            nonlocal generated
            generated += tokens

        with observed(count):
            done = self._at_hand[1](chunk, number)
        return done, generated


class _Unpacker(pickle.Unpickler):
    """Reads a work whose models and judges are found by their names."""

    def __init__(self, packed: bytes, find: Callable[[str], Any]) -> None:
        super().__init__(io.BytesIO(packed))
        self._find = find

    def persistent_load(self, name: str) -> Any:
        return self._find(name)


def _received(name: str, packed: bytes, before: Any) -> Any:
    """A model or judge that was sent; in its place what was held of that name before, with all it has loaded."""
    import ray

    thing = pickle.loads(packed)
    if not name.endswith(f" {thing.fingerprint}"):
        raise ModelError(
            f"{_title(thing)}: is another one on node {ray.util.get_node_ip_address()}, or its files are not there; "
            "put the same files at the same place on every node, or on a file system that all share"
        )
    if before is None:
        return thing
    if isinstance(before, Model):
        before.heed(thing)
    return before


def _title(thing: Model | Judge | PreferenceJudge) -> str:
    if isinstance(thing, Model):
        return f"{thing.title} with {thing.adapter}" if thing.adapter else thing.title
    return f"judge {thing.name}" if isinstance(thing, Judge) else thing.model.title
