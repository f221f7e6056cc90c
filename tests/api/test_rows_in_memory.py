"""Rows in memory go through the layouts and checks of files, and errors name the row."""

import json
from pathlib import Path

import datasets
import pandas
import pyarrow
import pytest

import amends
from amends.pipeline.in_memory import rows_given
from amends.records import Response
from amends.reporting.notebook_rows import Rows

ROWS = [
    {"id": "a", "prompt": "Am I a fool?", "chosen": "No.", "rejected": "You are a worthless fool."},
    {"id": "b", "prompt": "How are you?", "chosen": "Fine, thank you.", "rejected": None},
]


class Polars:
    """What a frame of polars has, whose `to_dict` gives columns."""

    columns = ("id", "prompt", "chosen", "rejected")

    def to_dict(self, *, as_series: bool = True) -> dict[str, list[str | None]]:
        return {name: [row[name] for row in ROWS] for name in self.columns}

    def to_dicts(self) -> list[dict[str, str | None]]:
        return ROWS


def test_a_list_a_data_set_a_frame_and_a_file_are_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    frames = (pandas.DataFrame(ROWS), Polars(), pyarrow.Table.from_pylist(ROWS))
    given = (ROWS, tuple(ROWS), datasets.Dataset.from_list(ROWS), *frames, str(path), path, amends.load_data(ROWS))
    found = [amends.load_data(one).records for one in given]
    assert all(one == found[0] for one in found)
    assert found[0][1].rejected is None
    responses = [{"id": "a", "prompt": "Why?", "response": "So."}]
    tables = (pandas.DataFrame(responses), pyarrow.Table.from_pylist(responses))
    assert [rows_given(one, Response)[0].response for one in tables] == ["So.", "So."]


def test_public_layouts_class_labels_and_numbers_of_numpy_are_read() -> None:
    features = datasets.Features(
        {"prompt": datasets.Value("string"), "kind": datasets.ClassLabel(names=["bad", "good"])}
    )
    set_ = datasets.Dataset.from_dict({"prompt": ["One?", "Two?"], "kind": [1, 0]}, features=features)
    assert [row.prompt for row in amends.load_data(set_, where={"kind": "good"})] == ["One?"]
    alpaca = [{"instruction": "Say hello.", "input": "", "output": "Hello."}]
    assert amends.load_data(alpaca)[0].chosen == "Hello."
    frame = pandas.DataFrame({"id": [7, 8], "prompt": ["One?", "Two?"], "chosen": [None, float("nan")]})
    assert [(row.id, row.chosen) for row in amends.load_data(frame)] == [("7", None), ("8", None)]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([ROWS[0], {"id": "c", "prompt": ""}], "rows in memory: row 2: column 'prompt' is empty"),
        ([ROWS[0], ROWS[0]], "row 2: id 'a' is already that of an earlier row (row 1)"),
        ([ROWS[0], {"text": "What?"}], "row 2: column"),
        ([ROWS[0], "What?"], "row 2: is text"),
        ([], "there are no rows"),
        ([{"prompt": "Who?", "response": "You fool.", "is_safe": "perhaps"}], "row 1:"),
        ({"train": [], "test": []}, "name one of its splits: train, test"),
        ({"prompt": ["One?", "Two?"]}, "its columns (prompt) become rows by pandas.DataFrame(...)"),
        (pandas.Series(["One?", "Two?"]), "row 1: is text"),
        (7, "are a number; give a list of mappings"),
        ([ROWS[0], ROWS[1], {"id": "c", "prompt": 3}, {"id": "d"}], "row 3: column 'prompt' is a number"),
    ],
)
def test_what_cannot_be_used_is_named_by_its_row(rows: object, said: str) -> None:
    with pytest.raises(amends.AmendsError) as raised:
        amends.load_data(rows)  # type: ignore[arg-type]
    assert said in str(raised.value)


def test_columns_where_limit_and_splits_are_as_of_files() -> None:
    rows = [{"goal": f"Number {number}?", "label": "safe" if number % 2 else "other"} for number in range(6)]
    found = amends.load_data(rows, columns={"prompt": "goal"}, where={"label": ["safe"]}, limit=2)
    assert [row.prompt for row in found] == ["Number 1?", "Number 3?"]
    assert len(amends.load_data([row | {"split": "test"} for row in ROWS], split="test")) == 2
    with pytest.raises(amends.AmendsError, match="no row has 'train' in column 'split'"):
        amends.load_data([row | {"split": "test"} for row in ROWS], split="train")
    with pytest.raises(amends.AmendsError, match="limit"):
        amends.load_data(rows, limit=0)


def test_a_rows_text_is_folded_and_escaped_and_saved_as_it_is(tmp_path: Path) -> None:
    rows = amends.load_data(
        [{"id": "<b>", "prompt": "<script>alert(1)</script>", "rejected": "You fool.\u202e"}]
        + [{"prompt": f"Row {number}?"} for number in range(30)]
    )
    page = rows._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page and "&lt;b&gt;" in page and "\u202e" not in page
    assert page.index("<details>") < page.index("&lt;script&gt;")
    assert "and 21 more" in page
    path = rows.save(tmp_path / "rows.jsonl")
    assert amends.load_data(path).records == rows.records
    assert repr(rows) == "rows in memory: 31 rows of Instruction"
    assert isinstance(rows[1:3], Rows) and len(rows[1:3]) == 2 and rows[-1].prompt == "Row 29?"
    with pytest.raises(amends.AmendsError, match=r"end the file's name in \.jsonl"):
        rows.save(tmp_path / "rows.csv")
