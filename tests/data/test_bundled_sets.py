"""Bundled sets by name and split: they are whole, and their splits are apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from data_files import write
from loading import ROWS, load, refusal

from amends.data import sources
from amends.data.sources import BUNDLED_SPLITS, check_disjoint, source_files
from amends.text.words import words


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sources, "BUNDLED_DIRECTORY", tmp_path)
    yield write(tmp_path / "redteam.jsonl", [ROWS[0] | {"split": "train"}, ROWS[1] | {"split": "test"}])


def test_bundled_split_is_part_of_the_name(bundled: Path) -> None:
    assert [row.id for row in load("bundled:redteam/test")] == ["b"]
    assert [row.id for row in load("bundled:redteam/train")] == ["a"]
    assert source_files("bundled:redteam/train") == [bundled]
    assert "leave split out" in refusal("bundled:redteam/train", split="test")


@pytest.mark.parametrize(
    ("source", "suggestion"),
    [
        ("bundled:redtaem/train", "did you mean bundled:redteam/train?"),
        ("bundled:benign", "did you mean bundled:benign/"),
        ("bundled:attacks/train", "did you mean bundled:attacks/test?"),
        ("bundled:", "bundled:redteam/train, bundled:redteam/test, bundled:benign/train"),
        ("bundled:../redteam/test", "no such bundled set"),
    ],
)
def test_unknown_bundled_name_is_refused_with_a_suggestion(source: str, suggestion: str) -> None:
    message = refusal(source)
    assert message.startswith(f"{source}: ") and suggestion in message and "bundled:overrefusal/test" in message


def test_bundled_redteam_sets_are_disjoint_and_have_300_rows() -> None:
    train, test = (list(load(f"bundled:redteam/{split}")) for split in ("train", "test"))
    assert len(train) + len(test) == 300
    check_disjoint(train, (("redteam", instruction) for instruction in test))


def test_no_bundled_test_prompt_is_nearly_a_training_prompt() -> None:
    """Seven words in a row are no coincidence."""

    def runs(prompt: str) -> set[tuple[str, ...]]:
        found = words(prompt)
        return {tuple(found[start : start + 7]) for start in range(len(found) - 6)}

    names = [f"bundled:{name}/{split}" for name, splits in BUNDLED_SPLITS.items() for split in splits]
    train, test = (
        {row.id: runs(row.prompt) for name in names if name.endswith(split) for row in load(name)}
        for split in ("train", "test")
    )
    assert len(test) > 200
    assert [(one, other) for one, a in test.items() for other, b in train.items() if a & b] == []
