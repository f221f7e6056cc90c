"""The processes of a training: this one leads, others follow, whether amends started them or a launcher did.

The first alone reads samples, writes, locks and prints. The others wait until it names a job, a file beside its
checkpoints, and compute what it computes. They meet in a store of torch's: torchrun's, or one that the first opens.
"""

import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from amends.errors import AmendsError, InputError, SampleError, TrainingError, memory_is_full
from amends.models.device import best_device
from amends.training.environment import launched, prepare

JOB = "job"
"""The file of a job in its directory."""
UNTIL_A_JOB = timedelta(days=30)  # samples are tokenized before
LOOK_SECONDS = 0.05  # between two looks whether the others are ready
GPU_TIMEOUT, CPU_TIMEOUT = timedelta(minutes=10), timedelta(minutes=30)  # torch's own, for one collective operation
LOST = (
    "a process of the training ended in the middle of it, by its own error or since it was killed; checkpoints are "
    "kept, and the same command goes on from the last one"
)
IN_PYTHON = (
    "a script that trains is started without torchrun or accelerate: processes=N, or train.processes=N, starts the "
    "processes of its trainings"
)


class _Led:
    """Those that a launcher started beside this one."""

    def __init__(self) -> None:
        self.store, _, self.count = _meet()
        self.jobs = count()

    def name(self, job: str) -> int:
        """Gives all of them a job, by its file, or, with an empty one, leave to end."""
        number = next(self.jobs)
        self.store.set(f"job {number}", job)
        return number


_led: _Led | None = None
_broken: list[Any] = []
"""Groups that lost a process. Their last holder, an error's traceback, would free them while it holds Python's lock.

torch then waits for gloo's threads, and these for the lock, to free tensors of the collective operation that failed.
"""


@contextmanager
def leading() -> Iterator[None]:
    """Within, trainings are computed by all processes that a launcher started; the others may end behind it."""
    global _led
    _led = _Led()
    try:
        yield
    finally:
        led, _led = _led, None
        led.name("")


def follow() -> int:
    """Computes the jobs that the first process names until it names no more; returns an exit code.

    What goes wrong with all the first one says.
    """
    from amends.training.fit import compute

    store, rank, processes = _meet()
    for number in count():
        if not (job := store.get(f"job {number}").decode()):
            return 0
        try:
            store.set(f"ready {rank}", "")
            with _group(store, number, rank, processes):
                compute(_read(job))
                store.set(f"done {number} {rank}", "")
        except (SampleError, TrainingError, KeyboardInterrupt):
            return 1
        except AmendsError as error:
            print(f"amends: process {rank}: {error}", file=sys.stderr)
            return 1
        except Exception as error:
            if memory_is_full(error):
                print(f"amends: process {rank}: the memory is full", file=sys.stderr)
            elif not is_lost(error):
                traceback.print_exc()
            return 1
    return 0


def _read(job: str) -> Any:
    try:
        return pickle.loads(Path(job).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{job}: is not there; all machines have to see the output of a training") from None


def _meet() -> tuple[Any, int, int]:
    """The store that the processes share, the number of this one, and how many they are."""
    import torch
    from torch.distributed.rendezvous import rendezvous

    if best_device() == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return next(iter(rendezvous("env://", timeout=UNTIL_A_JOB)))


@contextmanager
def together(processes: int, job: Any, directory: Path) -> Iterator[None]:
    """Within, this process is the first of so many that compute a job, each by `amends.training.fit.compute`.

    Args:
        processes: how many; with one, nothing happens.
        job: what the others are to compute; picklable.
        directory: where its file lies while it is computed; all processes see it.

    Raises:
        InputError: this is a script that a launcher started.
        TrainingError: one of the others ended.
    """
    there = launched()
    if there > 1 and _led is None:
        raise InputError(IN_PYTHON)
    if processes == 1:
        yield
        return
    file = directory / JOB
    file.write_bytes(pickle.dumps(job))
    try:
        if _led:
            number = _led.name(str(file.absolute()))
            with _group(_led.store, number, 0, processes):
                yield
                # Who closes first takes from the others what they have not read yet.
                _led.store.wait([f"done {number} {rank}" for rank in range(1, processes)])
        else:
            with _started(processes, file):
                yield
    except Exception as error:
        if is_lost(error):
            raise TrainingError(LOST) from error
        raise
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def _started(processes: int, file: Path) -> Iterator[None]:
    """Starts the others on this machine, and ends them."""
    import torch
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=UNTIL_A_JOB)
    threads = torch.get_num_threads()
    each = max(1, threads // processes) if best_device() == "cpu" else threads
    told = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1"}
    told |= {"MASTER_PORT": store.port, "OMP_NUM_THREADS": each, "GLOO_SOCKET_IFNAME": _loopback(), "TQDM_DISABLE": 1}
    told |= _without_direct_paths()
    variables = [
        {name: str(value) for name, value in (told | {"RANK": rank, "LOCAL_RANK": rank}).items()}
        for rank in range(processes)
    ]
    store.set("job 0", str(file.absolute()))
    others: list[subprocess.Popen[bytes]] = []
    try:
        others += [start(os.environ | one) for one in variables[1:]]
        while not store.check([f"ready {rank}" for rank in range(1, processes)]):
            if any(other.poll() is not None for other in others):
                raise TrainingError(LOST)  # or torch would wait for it
            time.sleep(LOOK_SECONDS)
        torch.set_num_threads(each)
        with _variables(variables[0]), _group(store, 0, 0, processes):
            yield
    finally:
        torch.set_num_threads(threads)
        for other in others:  # behind the last step there is nothing left for them to do
            other.kill()
            other.communicate()


def start(environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Starts a process that follows this one, and ends with it."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__], env=environment, stdin=subprocess.PIPE, start_new_session=True
    )


def _without_direct_paths() -> dict[str, int]:
    """What `accelerate launch` sets too for GPUs that cannot copy to each other, and without which it refuses them."""
    from accelerate.utils import check_cuda_p2p_ib_support

    speak = best_device() != "cuda" or check_cuda_p2p_ib_support()
    return {} if speak else {"NCCL_P2P_DISABLE": 1, "NCCL_IB_DISABLE": 1}


def _loopback() -> str:
    """The interface on which processes of one machine speak: no name of it is looked up."""
    return next(name for _, name in socket.if_nameindex() if name.startswith("lo"))


@contextmanager
def _variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of the environment for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _group(store: Any, number: int, rank: int, processes: int) -> Iterator[None]:
    """The process group of a job. What accelerate knows of processes is of before, and goes."""
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore

    gpu = best_device() == "cuda"
    _forget()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if gpu else "gloo",
        store=PrefixStore(f"group {number}", store),
        rank=rank,
        world_size=processes,
        timeout=GPU_TIMEOUT if gpu else CPU_TIMEOUT,
    )
    try:
        yield
    except BaseException:
        _broken.append(dist.group.WORLD)
        raise
    finally:
        dist.destroy_process_group()
        _forget()


def _forget() -> None:
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


def is_lost(error: BaseException) -> bool:
    """Whether an error is of a process that has gone, as torch, gloo and NCCL tell the others."""
    import torch.distributed as dist

    said = str(error)
    return isinstance(error, dist.DistError) or "gloo" in said or "closed by peer" in said


def _end_with_the_first() -> None:
    """Ends this process when the pipe from the one that started it closes, however that one ended."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    prepare("train")
    sys.exit(follow())
