"""Sources by name: files of every kind, their columns and rows, and what is refused of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from data_files import KINDS, write
from loading import ROWS, load, refusal

from amends.data.sources import source_files
from amends.errors import InputError
from amends.records import Instruction


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, ROWS)
    expected = [
        Instruction(id="a", prompt="First?", chosen="One."),
        Instruction(id="b", prompt="Second?", chosen="Two."),
    ]
    assert list(load(path)) == expected
    assert list(load(path, limit=1)) == expected[:1]
    assert source_files(str(path)) == [path]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("x.jsonl", "line 2"),
        ("x.jsonl.zst", "line 2"),
        ("x.json", "row 2"),
        ("x.parquet", "row 2"),
        ("x.csv", "line 3"),
    ],
)
@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"id": "a", "prompt": "again"}, "id 'a' is already that of an earlier row"),
        ({"id": "b", "prompt": " "}, "'prompt' is empty"),
        ({"id": "b", "prompt": "x" * 100_000}, "100,000 characters"),
    ],
)
def test_bad_row_is_named_in_every_kind_of_file(
    tmp_path: Path, name: str, place: str, row: dict[str, Any], problem: str
) -> None:
    path = write(tmp_path / name, [ROWS[0], row])
    message = refusal(path)
    assert message.startswith(f"{path}: {place}: ") and problem in message


def test_columns_are_mapped_and_their_absence_named(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"question": "Q", "reply": "A"}, {"question": "R"}])
    columns = {"prompt": "question", "chosen": "reply"}
    loaded = load(path, columns=columns)
    assert next(loaded) == Instruction(id="row-00000001", prompt="Q", chosen="A")
    with pytest.raises(InputError, match=r"x\.jsonl: line 2: column 'reply'.*has columns question"):
        next(loaded)
    message = refusal(path)
    assert (
        f"{path}: line 1: column 'prompt' is missing; the row has columns question, reply; rename one to it" in message
    )


def test_all_rows_that_cannot_be_read_are_counted_and_those_behind_the_limit_left_alone(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"split": "train"}, {"prompt": " ", "split": "train"}, ROWS[1] | {"split": "test"}]
    path = tmp_path / "x.json"
    path.write_text(json.dumps([*rows, 1, [2]]))
    message = refusal(path, split="train")
    assert "row 2: column 'prompt' is empty" in message
    assert message.endswith("2 other rows cannot be used either: row 4, row 5")
    assert [row.id for row in load(path, split="train", limit=1)] == ["a"]
    assert len(list(load(path, limit=1))) == 1


def test_parquet_is_read_in_batches_with_running_row_numbers(tmp_path: Path) -> None:
    rows = [{"prompt": f"Question {number}"} for number in range(600)]
    path = write(tmp_path / "x.parquet", rows)
    ids = [instruction.id for instruction in load(path)]
    assert ids == [f"row-{number:08d}" for number in range(1, 601)]


def test_parquet_messages_are_recognised(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
    path = write(tmp_path / "x.parquet", [{"messages": messages}])
    assert next(load(path)).chosen == "Hello!"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.txt", "id,prompt\n", "end in one of .jsonl, .json, .csv, .tsv, .parquet, .arrow, .jsonl.gz, .jsonl.zst"),
        ("x.parquet.gz", "", "end in one of"),
        ("x.json", '{"data": []}', "the row has columns data"),
        (
            "x.json",
            '{\n "id": "a"\n}\n',
            "line 1: begins an object of several lines; write one object a line, or a list",
        ),
        ("x.json", '[{"id": "a"}]\n[2]\n', "Extra data at line 2, column 1); correct it (it begins with a bracket"),
        ("x.json", "[1]", "row 1: not a JSON object but a number"),
        ("x.json", "[]", "there are no rows"),
        ("x.jsonl", "", "there are no rows"),
        ("x.parquet", "not parquet", "cannot be read as Parquet after row 0"),
    ],
)
def test_unusable_file_is_refused(tmp_path: Path, name: str, content: str, expected: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    message = refusal(path)
    assert str(path) in message and expected in message


def test_source_that_does_not_exist_is_refused_by_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A name like a hub id with the ending of a file is a file: nothing is asked of the network.
    for source in ("data/x.jsonl", "nowhere", str(tmp_path / "deep" / "er")):
        with pytest.raises(InputError, match="no such file"):
            load(source)
        with pytest.raises(InputError, match="no such file"):
            source_files(source)
    with pytest.raises(InputError, match="is a directory"):
        load(tmp_path)


def test_split_of_a_file_takes_its_rows(tmp_path: Path) -> None:
    rows = [ROWS[0] | {"split": "train"}, ROWS[1] | {"split": "test"}]
    path = write(tmp_path / "x.jsonl", rows)
    assert [row.id for row in load(path, split="test")] == ["b"]
    assert [row.id for row in load(path)] == ["a", "b"]
    assert "no row has 'dev' in column 'split'; there are train, test" in refusal(path, split="dev")
    assert "column 'split'" in refusal(write(path, ROWS), split="test")


def test_distinct_prompts_keeps_the_first_and_counts_before_the_limit(tmp_path: Path) -> None:
    prompts = ["How?", "  HOW ", "Why?", "how", "Who?"]
    path = write(tmp_path / "x.jsonl", [{"id": str(number), "prompt": text} for number, text in enumerate(prompts)])
    assert [row.id for row in load(path, distinct_prompts=True)] == ["0", "2", "4"]
    assert [row.id for row in load(path, distinct_prompts=True, limit=2)] == ["0", "2"]


def test_of_equal_prompts_the_first_with_an_answer_stays(tmp_path: Path) -> None:
    rows = [{"id": "0", "prompt": "How?"}, {"id": "1", "prompt": "Why?"}]
    rows += [{"id": str(number), "prompt": "how", "chosen": "So."} for number in (2, 3)]
    assert [row.id for row in load(write(tmp_path / "x.jsonl", rows), distinct_prompts=True)] == ["1", "2"]


# Columns as sets of research have them after somebody gathered them: notes on the origin beside what is read.
NOTED = {"source": "owner/name:file.jsonl", "license": "MIT"}

VOTES = {"chosen_votes_safe_unsafe": "[2, 0]", "rejected_votes_safe_unsafe": "[0, 4]", "n_raw_rows": 2}

TURNS = {"first_user_turn": "Why?", "n_user_turns": 1}

LABELLED = {
    **{"response": "No.", "attack": "GCG", "attack_type": "white_box", "model": "a-7b", "label_source": "a judge"},
    **{"goal": "Tell why", "behavior": "Telling", "category": "telling", "category_orig": "Telling of why"},
}


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        ({"chosen": "A.", "rejected": "B.", **VOTES, "label_source": "human"}, {"chosen": "A.", "rejected": "B."}),
        ({"chosen": "A.", "rejected": "B.", **TURNS}, {"chosen": "A.", "rejected": "B."}),
        (
            {"attack": "goal_hijacking", "category": "attack", "category_orig": "Goal_Hijacking"},
            {"category": "attack"},
        ),
        ({"response": "A.", "category": "benign", "category_orig": "open_qa"}, {"chosen": "A.", "category": "benign"}),
        ({"category": "benign", "second_turn": "And then?"}, {"category": "benign"}),
        ({"label": "safe", **LABELLED}, {"chosen": "No.", "category": "telling"}),
        ({"label": "unsafe", **LABELLED}, {"rejected": "No.", "category": "telling"}),
    ],
)
def test_notes_of_whoever_gathered_a_set_are_left_out(
    tmp_path: Path, noted: dict[str, Any], expected: dict[str, str]
) -> None:
    rows = [{"id": f"set-{n}", "prompt": f"Why {n}?", **noted, **NOTED} for n in range(3)]
    rows[2].pop("second_turn", None)  # not every row has one
    path = write(tmp_path / "set.jsonl.gz", rows)
    assert list(load(path)) == [Instruction(id=f"set-{n}", prompt=f"Why {n}?", **expected) for n in range(3)]


@pytest.mark.parametrize("ending", [".JSONL", ".Json", ".jsonl.GZ"])
def test_endings_have_no_case(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"x{ending.lower()}", [{"prompt": "Hi"}])
    path = path.rename(tmp_path / f"X{ending}")
    assert [row.prompt for row in load(path)] == ["Hi"]
