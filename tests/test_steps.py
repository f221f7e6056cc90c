"""Steps over files: what a step is made from decides whether it is skipped."""

from pathlib import Path

import pytest

from amends.config import ComposeSettings, DataSettings
from amends.inputs import identity
from amends.methods import METHODS
from amends.steps import Steps


def composed(source: str, out: Path, **settings: object) -> list[str]:
    sets = {"instructions": DataSettings.model_validate({"source": source} | settings)}
    Steps().compose(METHODS["sft"], sets, out, ComposeSettings())
    return out.read_text().splitlines()


def test_another_split_of_a_bundled_set_is_another_set(tmp_path: Path) -> None:
    """Both splits lie in one file."""
    out = tmp_path / "samples.jsonl"
    train = composed("bundled:redteam/train", out)
    assert composed("bundled:redteam/train", out) == train
    assert set(composed("bundled:redteam/test", out)).isdisjoint(train)


def test_a_file_counts_by_its_content_and_a_hub_set_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "p", "chosen": "c"}\n')
    (tmp_path / "b.jsonl").write_text('{"prompt": "p", "chosen": "c"}\n')
    here, moved = (DataSettings(source=str(tmp_path / name)) for name in ("a.jsonl", "b.jsonl"))
    assert identity(here) == identity(moved)
    (tmp_path / "b.jsonl").write_text('{"prompt": "q", "chosen": "c"}\n')
    assert identity(here) != identity(moved)
    assert identity(DataSettings(source="owner/a")) != identity(DataSettings(source="owner/b"))


@pytest.mark.parametrize(
    "change", [{"limit": 1}, {"split": "train"}, {"columns": {"id": "x"}}, {"distinct_prompts": True}]
)
def test_which_rows_are_taken_counts(change: dict[str, object]) -> None:
    plain = {"source": "owner/a"}
    assert identity(DataSettings.model_validate(plain | change)) != identity(DataSettings.model_validate(plain))
