"""What results.json is made of: finished files and what the run says of its judges, and nothing else."""

from pathlib import Path
from shutil import copytree

import pytest

from amends.config import Configuration
from amends.evaluation.collect import collect_results, pooled_results
from amends.store import read_json, write_json


def test_results_come_from_files_alone(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("named.load_judge", "probe.Probe.load"):
        monkeypatch.setattr(f"amends.judges.{name}", lambda *_: pytest.fail("a judge was made"))
    configuration = Configuration.model_validate(read_json(finished_run / "run.json")["configuration"])
    written = read_json(finished_run / "results.json")
    judges = {role: facts for role, facts in written["judges"].items() if role != "agreement"}
    assert collect_results(configuration, finished_run, judges).model_dump(mode="json") == written
    copy = tmp_path / "seed-1"
    copytree(finished_run, copy)
    write_json(copy / "results.json", written | {"judges": {}, "yields": {}})
    pooled = pooled_results(
        configuration.model_copy(update={"seeds": [0, 1]}), {"": configuration}, {"": [finished_run, copy]}
    )
    assert (pooled.judges, pooled.yields, pooled.data) == (written["judges"], written["yields"], written["data"])
