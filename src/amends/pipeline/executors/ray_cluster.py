"""The cluster that Ray works on: how it is reached or started here, and how many workers it has room for."""

import logging
import math
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

from amends.errors import InputError, in_a_line
from amends.models.threads import allowed_cores

SECONDS_TO_CONNECT = 10.0  # Ray itself tries for minutes
STORE_BYTES = 256 * 2**20  # of a cluster that starts here: chunks are small, and a few are in flight
VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine
    "RAY_worker_niceness": "0",  # of workers that start here; at Ray's 15 whatever else runs here goes first
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # what it prints of lost workers would stand among results; ray_flow.py says it
    "RAY_NUM_REDIS_GET_RETRIES": "2",  # of 40 seconds each, where what answers is no cluster
}
"""What Ray reads when it is loaded."""
CURRENT = Path("/tmp/ray/ray_current_cluster")
"""Where Ray notes the cluster that was started last on this machine, as `ray.init` documents."""


def connect(address: str | None) -> None:
    """Connects this process to a cluster, once; starts one here without an address.

    Raises InputError where it cannot be reached.
    """
    address = _found(address) if address else None
    for name, value in VARIABLES.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return
    options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if address is None:
        options |= {"num_cpus": allowed_cores(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
    logging.getLogger("ray").setLevel(logging.ERROR)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address or "local", **options)
    except Exception as error:  # ConnectionError, RuntimeError of other versions, and what gRPC raises
        raise InputError(f"executor.address: {address or 'Ray'} cannot be used: {in_a_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray takes it for itself


def _found(address: str) -> str:
    """HOST:PORT of the cluster. Raises InputError where nothing answers there."""
    if address == "auto":
        noted = CURRENT.read_text(encoding="utf-8").strip() if CURRENT.exists() else ""
        address = os.environ.get("RAY_ADDRESS") or noted
        if not address:
            raise InputError(
                "executor.address: this machine is no node of a cluster; start one with `ray start --head`, or leave "
                "executor.address out"
            )
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"executor.address: no cluster answers at {address} ({in_a_line(error)}); see `ray status` on a node of it"
        ) from error
    return address


def room_for(workers: int | None, cpus: int, gpus: float | None) -> tuple[int, float]:
    """How many workers the cluster holds, or the number that is wanted, and the GPUs of each.

    Args:
        workers: wanted; as many as there is room for where it is None.
        cpus: of each.
        gpus: of each; 1 where the cluster has some, if it is None.

    Raises InputError where there is no room for them.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        gpus = float(any(node.get("GPU", 0) >= 1 for node in nodes))
    room = sum(_room(node, cpus, gpus) for node in nodes)
    of_each = f"{cpus} {'CPU' if cpus == 1 else 'CPUs'}" + (f" and {gpus:g} GPUs" if gpus else "")
    if room == 0:
        raise InputError(
            f"executor: no node of the cluster has {of_each}, which a worker takes; name threads=N for fewer CPUs, or "
            "executor.gpus_per_worker=N for fewer GPUs"
        )
    if workers and workers > room:
        raise InputError(
            f"executor.workers: {workers} of {of_each} each are wanted, and the cluster has room for {room}"
        )
    return workers or room, gpus


def _room(resources: dict[str, float], cpus: int, gpus: float) -> int:
    """Workers that one node holds: a GPU is shared by whole ones, and a worker has no part of two."""
    of_cpus = int(resources.get("CPU", 0)) // cpus
    there = int(resources.get("GPU", 0))
    if not gpus:
        return of_cpus
    return min(of_cpus, there * math.floor(1 / gpus) if gpus < 1 else math.floor(there / gpus))
