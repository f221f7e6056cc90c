"""Steps over files: what a step is made from decides whether it is skipped, and what it took."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from amends.config import ComposeSettings, DataSettings
from amends.inputs import identity, rows_of
from amends.methods import METHODS
from amends.protocols import no_progress
from amends.records import Instruction
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


def test_a_step_that_was_interrupted_has_no_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its first part took is not known."""
    source, out = DataSettings(source="bundled:redteam/train"), tmp_path / "rows.jsonl"
    steps, timings = Steps(root=tmp_path), tmp_path / "timings.json"
    with monkeypatch.context() as patch:
        patch.setattr("amends.steps.rows_of", interrupted_rows)
        patch.setattr("amends.stages.streaming.stream.__defaults__", (no_progress, 10))
        with pytest.raises(KeyboardInterrupt):
            steps.data("instructions", source, out)
        assert not timings.exists()
        patch.setattr("amends.steps.rows_of", rows_of)
        steps.data("instructions", source, out)
        assert "instructions" not in json.loads(timings.read_text())
    steps.data("instructions", source.model_copy(update={"limit": 5}), out)
    assert json.loads(timings.read_text())["instructions"] >= 0


def interrupted_rows(settings: DataSettings) -> Iterator[Instruction]:
    yield from islice(rows_of(settings), 25)
    raise KeyboardInterrupt
