"""What is said where the operating system fails below Python, and what is done where its clock jumps."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.faults.interposed import What, interpose, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"the library that stands before C's {why_not()}")
CODE = """
import sys
from pathlib import Path
from amends.errors import StoreError
from amends.records import Verdict
from amends.storage.artifacts import Artifact
from amends.storage.locks import locked
from benchmarks.faults.interposed import What, arm

root, what, number = Path(sys.argv[1]), What[sys.argv[2]], int(sys.argv[3])
arm(root, what, number)
try:
    with locked(root / ".lock", root):
        artifact = Artifact(root / "rows.jsonl", {"a": 1}, "verdicts")
        if not artifact.is_finished():
            if not artifact.begin(1):
                artifact.append([Verdict(id="a", score=0.9, verdict="harmless")])
            artifact.finish()
        assert Artifact(root / "rows.jsonl", {"a": 1}, "verdicts").is_finished()
except StoreError as error:
    print(error)
"""


def said(root: Path, library: Path, what: What, number: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a process says that holds a directory and writes rows there."""
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(root), what.name, str(number)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LD_PRELOAD", "")  # as it is again behind the test
    interpose(tmp_path)
    made = Path(os.environ["LD_PRELOAD"])
    monkeypatch.setenv("LD_PRELOAD", "")
    return made


def test_no_file_is_finished_that_the_device_refused(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in (What.WRITES, What.SYNCS):
        for number in range(5):
            root = tmp_path / f"{what.name}-{number}"
            root.mkdir()
            assert "Input/output error; choose another output" in said(root, library, what, number, monkeypatch)
            assert said(root, library, What.NOTHING, 0, monkeypatch) == "", "it is gone on with"
            assert (root / "rows.jsonl").read_text().count("\n") == 1


def test_a_directory_without_locks_is_refused(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = f"{tmp_path}: its file system has no locks; choose an output on another one"
    assert said(tmp_path, library, What.NO_LOCKS, 0, monkeypatch) == refused
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(tmp_path, library, What.CLOCK, 1, monkeypatch) == ""
    assert (tmp_path / "rows.jsonl").exists()
