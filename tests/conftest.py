"""What several tests share: a small finished run on the real embedded model, trainer and judge."""

from pathlib import Path

import pytest

CONFIGS = Path(__file__).parent.parent / "configs"
# Small enough for seconds, and still every stage for real: two chunks would need 256 rows, two steps make a checkpoint.
TINY = [
    "instructions.limit=6",
    "benign.limit=4",
    "suites.redteam.limit=4",
    "suites.overrefusal.limit=3",
    "suites.benign.limit=3",
    "induce.max_new_tokens=24",
    "analyze.max_new_tokens=40",
    "respond.max_new_tokens=12",
    "train.max_steps=2",
    "train.batch_size=4",
    "train.save_steps=1",
]


def run_amends(*arguments: str) -> int:
    """Runs the real entry point in this process and returns its exit code."""
    import sys

    from amends.__main__ import main

    before = sys.argv
    sys.argv = ["amends", *arguments]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small finished run of configs/quickstart.yaml."""
    directory = tmp_path_factory.mktemp("run") / "tiny"
    assert run_amends("run", str(CONFIGS / "quickstart.yaml"), *TINY, "--out", str(directory)) == 0
    return directory
