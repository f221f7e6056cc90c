"""The card beside what `amends train` alone wrote: ours, without a path, and the user's where they filled it in."""

import json
from pathlib import Path

import pytest

from amends.pipeline.deployment import deployment_of
from amends.pipeline.pushing import upload_of
from conftest import run_amends


@pytest.mark.parametrize("how", ["adapter", "full"])
def test_a_training_alone_leaves_a_card_that_names_no_path(finished_run: Path, tmp_path: Path, how: str) -> None:
    samples, out = finished_run / "sft" / "samples.jsonl", tmp_path / how
    base = Path(deployment_of(str(finished_run)).model)
    train = ["train", "--samples", str(samples), "--model", str(base), "--max-steps", "1", "--batch-size", "4"]
    train += ["--out", str(out), *(["--full"] if how == "full" else [])]
    assert run_amends(*train) == 0
    card = (out / "README.md").read_text()
    assert f"# {base.name}, sft on samples" in card and "- **Method**: sft on samples\n" in card
    rows = len(samples.read_text().splitlines())
    assert f"- samples: samples\\.jsonl, {rows} rows. Licence: not known to amends; say it here." in card
    assert "Nothing of it was measured" in card and "the suites above" not in card and "guided" not in card
    files = upload_of(str(out)).files
    whole = b"".join(one if isinstance(one, bytes) else one.read_bytes() for one in files.values())
    assert str(base).encode() not in whole and str(samples).encode() not in whole
    if how == "adapter":
        assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] == base.name
    (out / "README.md").write_text(card.replace("not known to amends; say it here", "MIT"))
    assert run_amends(*train) == 0
    assert "Licence: MIT." in (out / "README.md").read_text()
