"""A run whose power is cut goes on with what its device had, and ends with the bytes of an undisturbed one."""

import signal
from pathlib import Path

import pytest
from benchmarks.faults.devices import SHARPEST, why_not
from benchmarks.faults.power import cut, empty_files
from benchmarks.faults.runs import Disturbed, start

from conftest import record_bytes


def test_what_was_not_waited_for_is_lost_again_and_again(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    """No file that the kernel still held is believed: here all of them are emptied."""
    directory, empty = tmp_path / "run", 0
    for event in (600, 500, 400):
        assert start(tiny_settings, directory, Disturbed(event=event, loses=True)).code == -signal.SIGKILL
        empty += empty_files(directory)
    assert empty > 0, "nothing was lost"
    ended = start(tiny_settings, directory)
    assert ended.code == 0, ended.said
    assert record_bytes(directory) == record_bytes(finished_run)


@pytest.mark.skipif(bool(why_not()), reason=f"an ext4 on a loop device {why_not()}")
def test_a_device_as_it_was_when_the_power_was_cut(
    finished_run: Path, tiny_settings: list[str], tmp_path: Path
) -> None:
    found = cut(SHARPEST, Disturbed(event=1000), tiny_settings, tmp_path / "place", finished_run)
    assert found["code"] == -signal.SIGKILL
    assert not found["problem"]
