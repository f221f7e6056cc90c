"""What results.json is made of: finished files and what the run says of its judges, and nothing else."""

from pathlib import Path
from shutil import copytree

import pytest

from amends.config.settings import Configuration
from amends.evaluation.results import Results
from amends.pipeline.collect import collect_results, pooled_results
from amends.records import ReferenceLoss
from amends.storage.files import read_json, write_json


def test_results_come_from_files_alone(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("load.load_judge", "probe.Probe.load"):
        monkeypatch.setattr(f"amends.judges.{name}", lambda *_: pytest.fail("a judge was made"))
    configuration = Configuration.model_validate(read_json(finished_run / "run.json")["configuration"])
    written = read_json(finished_run / "results.json")
    assert collect_results(configuration, finished_run, written["judges"]).model_dump(mode="json") == written
    copy = tmp_path / "seed-1"
    copytree(finished_run, copy)
    write_json(copy / "results.json", written | {"judges": {}, "yields": {}})
    pooled = pooled_results(
        configuration.model_copy(update={"seeds": [0, 1]}), {"": configuration}, {"": [finished_run, copy]}
    )
    assert (pooled.judges, pooled.yields, pooled.data) == (written["judges"], written["yields"], written["data"])


def test_what_a_variants_only_method_goes_on_from_has_a_name_of_its_own(tmp_path: Path) -> None:
    configuration = Configuration.model_validate(
        {
            "instructions": {"source": "bundled:redteam/train"},
            "suites": {"benign": {"source": "bundled:benign/test", "kind": "benign"}},
            "methods": ["dpo"],
            "respond": {"inference": ["unguided"]},
        }
    )
    (tmp_path / "dpo").mkdir()
    loss = ReferenceLoss(id="a", nats=3.0, tokens=2).model_dump_json()
    (tmp_path / "dpo" / "unguided.benign.losses.jsonl").write_text(loss + "\n")
    data = {"sets": {}, "training": {"sft": {"steps": 1}, "dpo": {"steps": 2}}}
    write_json(tmp_path / "results.json", Results(model="m", seed=0, systems=[], data=data).model_dump(mode="json"))
    pooled = pooled_results(configuration, {"v": configuration}, {"v": [tmp_path]})
    assert pooled.data["training"] == {"v.sft": {"steps": 1}, "v": {"steps": 2}}
