"""Threads follow the cores that are free, the quota of a container, and who has the last word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amends.models import threads

SECOND = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def four_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with four cores and no control groups; where its files lie."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(threads, "CGROUPS", tmp_path)
    monkeypatch.setattr(threads, "SYSTEM", tmp_path / "stat")
    return tmp_path


@pytest.mark.parametrize(("busy", "free"), [(0.0, 4), (0.4, 4), (1.1, 3), (2.8, 1), (9.0, 1)])
def test_cores_are_free_that_other_processes_do_not_take(
    four_cores: Path, monkeypatch: pytest.MonkeyPatch, busy: float, free: int
) -> None:
    now = 100.0

    def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds
        write(1_000 + busy * seconds)

    def write(seconds: float) -> None:
        (four_cores / "stat").write_text(f"cpu  {round(seconds * SECOND)} 0 0 777 0 0\ncpu0 1 2 3\n")

    monkeypatch.setattr(threads.time, "sleep", pass_time)
    monkeypatch.setattr(threads.time, "monotonic", lambda: now)
    write(1_000)
    assert threads.free_cores(10) == free


def test_a_machine_that_says_nothing_of_its_load_is_free(four_cores: Path) -> None:
    assert threads.free_cores(0) == 4


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 4),
        ({"cpu.max": "900000 100000"}, 4),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
    ],
)
def test_a_containers_quota_bounds_them(four_cores: Path, files: dict[str, str], cores: int) -> None:
    for name, text in files.items():
        (four_cores / name).parent.mkdir(exist_ok=True)
        (four_cores / name).write_text(text)
    assert threads.allowed_cores() == cores
    assert threads.free_cores(0) == cores


SCRIPT = """
import torch
from amends.models.threads import take_threads
for asked, before in {calls}:
    print(take_threads(asked, before, print), torch.get_num_threads())
"""


@pytest.mark.parametrize(
    ("calls", "environment", "said"),
    [
        ([(1, 3)], {"OMP_NUM_THREADS": "2"}, "1 thread (threads=1)|1 1"),
        ([(None, 3), (None, 5)], {"OMP_NUM_THREADS": "2"}, "2 threads (OMP_NUM_THREADS=2)|2 2|2 2"),
        ([(None, 3)], {}, "3 threads (as when it began)|3 3"),
    ],
)
def test_who_has_the_last_word(calls: list[tuple[int | None, int]], environment: dict[str, str], said: str) -> None:
    plain = {name: value for name, value in os.environ.items() if name not in threads.SET}
    command = [sys.executable, "-c", SCRIPT.format(calls=calls)]
    done = subprocess.run(command, env=plain | environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip().replace("\n", "|") == said
