"""How many threads torch computes with on a CPU: as many as there are free cores, unless somebody says otherwise.

Two processes whose threads together are more than there are cores wait for each other: each takes twice as long as with
one thread (dev/log/2026.md).
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

LEAST_SECONDS = 0.3  # over which what other processes take can be told
SET = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
SYSTEM, CGROUPS = Path("/proc/stat"), Path("/sys/fs/cgroup")
QUOTAS = ("cpu.max", "cpu/cpu.cfs_quota_us")
"""Of control groups, of the second and of the first version."""


def allowed_cores() -> int:
    """Cores that this process may use: by its affinity, and by the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_quota() or cores)))


def free_cores(seconds: float = LEAST_SECONDS) -> int:
    """Cores that no other process takes now, at least 1; looks for so many seconds.

    The mean load of the last minute is not what is asked for: it counts what has ended just now.
    """
    before, began = _busy_seconds(), time.monotonic()
    if before is None:
        return allowed_cores()
    time.sleep(seconds)
    others = max(0.0, ((_busy_seconds() or before) - before) / (time.monotonic() - began))
    return max(1, min(allowed_cores(), (os.cpu_count() or 1) - round(others)))


def _busy_seconds() -> float | None:
    """Seconds that other processes computed since the machine started; None where it does not say."""
    try:
        user, nice, system, *_ = map(int, SYSTEM.read_text().split("\n", 1)[0].split()[1:])
    except (OSError, ValueError):
        return None
    own = os.times()
    return (user + nice + system) / os.sysconf("SC_CLK_TCK") - own.user - own.system


def _quota() -> float | None:
    """Cores that the control group may take; None where it has no limit."""
    for name in QUOTAS:
        try:
            quota, *period = (CGROUPS / name).read_text().split()
            period = period or [(CGROUPS / name).with_name("cpu.cfs_period_us").read_text()]
            return int(quota) / int(period[0]) if int(quota) > 0 else None
        except (OSError, ValueError):  # there is none of that version, or its quota is `max`
            continue
    return None


_taken: list[int] = []


def take_threads(asked: int | None, before: int | None, say: Callable[[str], None] = lambda _: None) -> int:
    """Gives torch its threads, once in a process, and returns their number: all runs in a process have equally many.

    Args:
        asked: how many; else what OMP_NUM_THREADS says, then `before`, then as many as there are free cores.
        before: how many there were when what goes on now was begun.
        say: is told the number, and why.

    Example:
        take_threads(None, before=2, say=print)     # 2 threads (as when it began)
    """
    import torch

    if _taken and asked in (None, _taken[0]):
        return _taken[0]
    named = next((name for name in SET if os.environ.get(name)), None)
    if asked:
        count, why = asked, f"threads={asked}"
    elif named:
        count, why = torch.get_num_threads(), f"{named}={os.environ[named]}"
    elif before:
        count, why = before, "as when it began"
    else:
        count, cores = free_cores(), allowed_cores()
        why = f"{count} of {cores} cores are free; threads=N takes N"
    torch.set_num_threads(count)
    _taken[:] = [count]
    say(f"{count} {'thread' if count == 1 else 'threads'} ({why})")
    return count
