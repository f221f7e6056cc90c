"""Which files a source names: patterns, directories that `datasets` saved, repositories with splits."""

from pathlib import Path

import datasets
import pytest
from data_files import write

from amends.data.identity import identity
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions, source_files
from amends.errors import InputError
from amends.pipeline.sets import count_rows


def prompts(source: object, split: str | None = None) -> list[str]:
    return [row.prompt for row in load_instructions(DataSettings(source=str(source), split=split))]


def refusal(source: object, split: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        prompts(source, split)
    return str(caught.value)


def saved(*texts: str) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"prompt": list(texts)})


def test_a_pattern_is_its_files_in_order(tmp_path: Path) -> None:
    for name in ("part-2", "part-10", "part-1"):
        write(tmp_path / f"{name}.jsonl", [{"prompt": f"{name} {number}"} for number in range(2)])
    write(tmp_path / "other.jsonl", [{"prompt": "not read"}])
    pattern = tmp_path / "part-*.jsonl"
    assert prompts(pattern) == [f"{name} {number}" for name in ("part-1", "part-10", "part-2") for number in range(2)]
    ids = [row.id for row in load_instructions(DataSettings(source=str(pattern)))]
    assert ids == [f"row-{number:08d}" for number in range(1, 7)]
    assert [path.name for path in source_files(str(pattern))] == ["part-1.jsonl", "part-10.jsonl", "part-2.jsonl"]
    before = identity(DataSettings(source=str(pattern)))
    write(tmp_path / "part-10.jsonl", [{"prompt": "changed"}])
    assert identity(DataSettings(source=str(pattern))) != before and len(before["inputs"]) == 3


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    assert prompts(write(tmp_path / "data[1].jsonl", [{"prompt": "a"}])) == ["a"]


def test_patterns_that_fit_nothing_or_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.jsonl").mkdir()
    for pattern in ("*.jsonl", "part-?.parquet"):
        assert refusal(tmp_path / pattern).startswith(f"{tmp_path / pattern}: no file fits this pattern; check it")
    assert "a.txt: the format is not known by the file's name" in refusal(tmp_path / "*.*")


def test_an_id_in_two_files_is_said_with_both_places(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"id": "x", "prompt": "a"}, {"id": "y", "prompt": "b"}])
    write(tmp_path / "b.csv", [{"id": "z", "prompt": "c"}, {"id": "y", "prompt": "d"}, {"id": "x", "prompt": "e"}])
    message = refusal(tmp_path / "*.*")
    assert message.startswith(
        f"{tmp_path / 'b.csv'}: line 3: id 'y' is already that of an earlier row ({tmp_path / 'a.jsonl'}: line 2); make"
    )
    assert message.endswith("1 other row cannot be used either: line 4")


def test_bad_rows_of_other_files_are_named_with_the_file(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        write(tmp_path / name, [{"prompt": " "}, {"prompt": " "}])
    assert refusal(tmp_path / "*.jsonl").endswith(
        f"3 other rows cannot be used either: line 2, {tmp_path / 'b.jsonl'}: line 1, {tmp_path / 'b.jsonl'}: line 2"
    )


def test_a_saved_data_set_is_read(tmp_path: Path) -> None:
    saved(*(f"Q{number}" for number in range(600))).save_to_disk(tmp_path / "saved", num_shards=3)
    assert prompts(tmp_path / "saved") == [f"Q{number}" for number in range(600)]
    assert [path.suffix for path in source_files(str(tmp_path / "saved"))] == [".arrow"] * 3
    assert prompts(f"{tmp_path}/saved/") == prompts(tmp_path / "saved")
    saved("a", "b").select([1]).save_to_disk(tmp_path / "chosen")
    assert prompts(tmp_path / "chosen") == ["b"]


def test_a_split_of_a_saved_data_set_is_chosen(tmp_path: Path) -> None:
    directory = tmp_path / "saved"
    datasets.DatasetDict({"train": saved("a"), "test": saved("b", "c")}).save_to_disk(directory)
    assert prompts(directory, "test") == ["b", "c"] and prompts(directory) == prompts(directory, "train") == ["a"]
    assert refusal(directory, "dev") == (
        f"{directory}: has no split 'dev'; choose with split=NAME (--split NAME): train, test"
    )
    assert count_rows(DataSettings(source=str(directory), split="test")) == 2
    one, other = (identity(DataSettings(source=str(directory), split=split)) for split in ("train", "test"))
    assert one["inputs"] != other["inputs"]


def test_without_train_a_split_has_to_be_named(tmp_path: Path) -> None:
    datasets.DatasetDict({"dev": saved("a"), "test": saved("b")}).save_to_disk(tmp_path / "two")
    assert "has several splits; choose with split=NAME (--split NAME): dev, test" in refusal(tmp_path / "two")
    datasets.DatasetDict({"dev": saved("a")}).save_to_disk(tmp_path / "one")
    assert prompts(tmp_path / "one") == ["a"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("{}", "does not list the data_files of a saved data set"),
        ("[]", "does not list the data_files of a saved data set"),
        ('{"_data_files": [{"filename": 3}]}', "does not list the data_files of a saved data set"),
        ('{"_data_files": [{"filename": "../x.arrow"}]}', "does not list the data_files of a saved data set"),
        ('{"_data_files": [{"filename": "gone.arrow"}]}', "gone.arrow: no such file"),
        ("{", "state.json: not readable as JSON"),
    ],
)
def test_a_damaged_saved_data_set(tmp_path: Path, state: str, expected: str) -> None:
    (tmp_path / "state.json").write_text(state)
    assert expected in refusal(tmp_path)


@pytest.mark.parametrize("place", ["", "data"])
def test_a_repository_with_a_file_for_each_split(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    for shard, text in enumerate("ab"):
        write(tmp_path / place / f"train-{shard:05d}-of-00002.parquet", [{"prompt": text}])
    write(tmp_path / place / "test.jsonl", [{"prompt": "c"}])
    (tmp_path / "README.md").write_text("# A data set")
    assert prompts(tmp_path) == ["a", "b"] and prompts(tmp_path, "test") == ["c"]
    assert "has no split 'dev'" in refusal(tmp_path, "dev")
    write(tmp_path / place / "test.csv", [{"prompt": "c"}])
    assert "has split 'test' in several formats (test.csv, test.jsonl); name one file" in refusal(tmp_path, "test")


def test_other_directories_say_what_can_be_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: is a directory; name a file in it"
    one = write(tmp_path / "mine.jsonl", [{"prompt": "a"}])
    assert refusal(tmp_path).endswith(f"name a file in it ({one}), or several by a pattern ({tmp_path}/*.jsonl)")
