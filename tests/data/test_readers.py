"""Files of every format: what is read of them as it stands, and what is said of those that cannot be read."""

import gzip
import json
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import datasets
import pytest
from data_files import packed, write

from amends.data.lines import MAX_LINE_BYTES
from amends.data.readers import read_files
from amends.errors import InputError


def rows(*paths: Path) -> list[dict[str, Any]]:
    return [row.values for row in read_files(paths)]


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        rows(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def table(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_values_of_a_table_are_text_as_it_stands(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", "id,prompt,score,note\n0123,NA,1.0,null\n1e5,NaN,TRUE, x \n")
    assert rows(path) == [
        {"id": "0123", "prompt": "NA", "score": "1.0", "note": "null"},
        {"id": "1e5", "prompt": "NaN", "score": "TRUE", "note": " x "},
    ]


def test_empty_cells_are_none(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", 'id,prompt,chosen\n1,,\n,"",b\n')
    assert rows(path) == [{"id": "1", "prompt": None, "chosen": None}, {"id": None, "prompt": None, "chosen": "b"}]


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_tables_with_and_without_a_byte_order_mark(tmp_path: Path, ending: str, mark: str, line_end: str) -> None:
    path = tmp_path / f"x.csv{ending}"
    text = f'{mark}prompt, chosen{line_end}"Hi, ""you""{line_end}there",Grüße{line_end}{line_end}b,c{line_end}'
    path.write_bytes(packed(text.encode(), ending))
    assert rows(path) == [
        {"prompt": f'Hi, "you"{line_end}there', "chosen": "Grüße"},
        {"prompt": "b", "chosen": "c"},
    ]


def test_a_table_of_tabs_keeps_commas(tmp_path: Path) -> None:
    path = table(tmp_path / "x.tsv", 'prompt\tchosen\na, b\t"c\td"\n')
    assert rows(path) == [{"prompt": "a, b", "chosen": "c\td"}]


def test_a_ragged_row_is_named_by_the_line_that_it_begins_on(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", 'prompt,chosen\n"a\n\nb",c\nd\ne,f,g\nh,i\n')
    found = list(read_files([path]))
    assert [row.place for row in found] == [f"{path}: line {number}" for number in (2, 5, 6, 7)]
    assert "line 5: has 1 fields and the header 2; put quotation marks around a field with a comma" in str(
        found[1].found
    )
    assert "line 6: has 3 fields and the header 2" in str(found[2].found)
    assert [found[0].values, found[3].values] == [{"prompt": "a\n\nb", "chosen": "c"}, {"prompt": "h", "chosen": "i"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompt,id,prompt\na,b,c\n", "line 1: the header names column 'prompt' twice"),
        ("prompt, prompt\na,b\n", "line 1: the header names column 'prompt' twice"),
        (",prompt\n0,a\n", "line 1: column 1 of the header has no name; name it or drop it"),
        ("\nprompt,\na,b\n", "line 2: column 2 of the header has no name"),
        (f"{'Why? ' * 50},b\na,b\n", "line 1: is no header"),
        ('prompt,chosen\na,b\n"c,d\ne,f\n', "line 3: cannot be parted into fields (unexpected end of data)"),
        ('prompt,chosen\n"He" said,b\n', "line 2: cannot be parted into fields"),
        ("prompt\ra\r", "line 1: cannot be parted into fields"),
        (f"prompt,chosen\na,{'b' * MAX_LINE_BYTES}\n", "line 2: longer than 16 MiB"),
        (
            'prompt,chosen\na,"' + f"{'b' * 99_999}\n" * (MAX_LINE_BYTES // 100_000 + 1),
            "line 2: cannot be parted into fields (field larger than",
        ),
        ("prompt\na\0b\n", "line 2: has a NUL byte at 2"),
    ],
)
def test_a_table_that_cannot_be_read(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refusal(table(tmp_path / "x.csv", text))


def test_a_field_beyond_the_limit_of_the_csv_module_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", f"prompt,note\na,{'b' * 200_000}\n")
    assert len(rows(path)[0]["note"]) == 200_000


def test_a_table_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("prompt\nGrüße\n".encode("latin-1"))
    assert "line 2: not UTF-8 (byte 0xfc at 3)" in refusal(path)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl.zst", "x.arrow"])
def test_reading_takes_constant_memory(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, [{"prompt": "x" * 10_000} for _ in range(2000)])
    read = read_files([path])
    next(read)  # pyarrow is loaded
    tracemalloc.start()
    try:
        assert sum(1 for _ in read) == 1999
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv"])
def test_a_compressed_file_that_breaks_off_or_is_none(tmp_path: Path, name: str, ending: str) -> None:
    path = write(tmp_path / f"{name}{ending}", [{"prompt": f"Question {number}"} for number in range(50)])
    path.write_bytes(path.read_bytes()[:-9])
    assert "check that it is complete and readable and really" in refusal(path)
    write(tmp_path / name, [{"prompt": "Hi"}]).rename(path)
    assert "check that it is complete and readable and really" in refusal(path)


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    for name in (b"x\xff.jsonl.zst", b"x\xff.arrow", b"x\xff.csv"):
        path = write(tmp_path / name.decode("ascii", "ignore"), [{"prompt": "Hi"}])
        assert rows(path.rename(tmp_path / os.fsdecode(name))) == [{"prompt": "Hi"}]


def test_zstd_of_several_frames(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.zst"
    path.write_bytes(b"".join(packed(f'{{"n": {number}}}\n'.encode(), ".zst") for number in range(3)))
    assert rows(path) == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.jsonl.zst", "x.csv.gz"])
def test_an_empty_file_has_no_rows(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(packed(b"", path.suffix))
    assert rows(path) == []


@pytest.mark.parametrize("raw", [b'{"a": 1}\n' + b"\0" * 20, '{"a": 1}'.encode("utf-16-le")])
def test_nul_bytes_are_named(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(raw)
    assert "has a NUL byte at" in refusal(path)


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.jsonl.gz"])
def test_lists_and_lines_are_told_apart_by_what_is_in_them(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for text in ('\ufeff\n [\n{"a": 1},\n {"a": 2}]\n', '\ufeff{"a": 1}\n\n{"a": 2}\n'):
        path.write_bytes(packed(text.encode(), path.suffix))
        assert rows(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet"])
def test_what_can_be_read_once_only_is_refused(tmp_path: Path, name: str) -> None:
    from amends.data.sources import source_files

    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, Path("/dev/null")):
        with pytest.raises(InputError, match="is a pipe or a device"):
            source_files(str(path))


def test_numbers_run_through_files(tmp_path: Path) -> None:
    files = [write(tmp_path / name, [{"prompt": name}] * 2) for name in ("a.jsonl", "b.csv", "c.parquet")]
    read = list(read_files(files))
    assert [row.number for row in read] == [1, 2, 3, 4, 5, 6]
    assert [row.place.removeprefix(f"{tmp_path}/") for row in read] == [
        *(
            "a.jsonl: line 1",
            "a.jsonl: line 2",
            "b.csv: line 2",
            "b.csv: line 3",
            "c.parquet: row 1",
            "c.parquet: row 2",
        )
    ]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_labels_are_the_names_of_their_classes(tmp_path: Path, kind: str) -> None:
    """A number alone does not say whether 0 is the safe or the unsafe one."""
    features = datasets.Features(prompt=datasets.Value("string"), label=datasets.ClassLabel(names=["safe", "unsafe"]))
    found = datasets.Dataset.from_dict({"prompt": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    if kind == "parquet":
        found.to_parquet(path := tmp_path / "x.parquet")
    else:
        found.save_to_disk(tmp_path / "saved")
        path = next((tmp_path / "saved").glob("*.arrow"))
    assert [row["label"] for row in rows(path)] == ["unsafe", "safe", None]


def test_both_formats_of_arrow_are_read(tmp_path: Path) -> None:
    import pyarrow

    path = tmp_path / "x.arrow"
    table = pyarrow.table({"prompt": [f"Q{number}" for number in range(600)]})
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_file(file, table.schema) as whole:
        whole.write_table(table)
    assert [row["prompt"] for row in rows(path)] == [f"Q{number}" for number in range(600)]
    path.write_bytes(path.read_bytes()[:100])
    assert "cannot be read as Arrow after row 0" in refusal(path)


def test_gzip_of_json_without_a_newline_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"a": 1}).encode()))
    assert rows(path) == [{"a": 1}]


def test_a_damaged_batch_of_arrow_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: pyarrow follows an offset that leads out of its buffer, and may end the process."""
    import pyarrow

    path, table = tmp_path / "x.arrow", pyarrow.table({"prompt": ["How?"]})
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    offsets, content = struct.pack("<ii", 0, 4), path.read_bytes()
    place = content.rindex(offsets, 0, content.rindex(b"How?"))
    path.write_bytes(content[:place] + struct.pack("<ii", 0, -5) + content[place + len(offsets) :])
    assert "cannot be read as Arrow after row 0" in refusal(path)


def test_a_batch_of_arrow_that_says_to_be_larger_than_memory_is_refused(tmp_path: Path) -> None:
    """Found by fuzzing: one damaged byte of a length, and pyarrow asks for so much."""
    import pyarrow

    path, table = tmp_path / "x.arrow", pyarrow.table({"prompt": ["How?"]})
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    content = path.read_bytes()
    _, batch = pyarrow.ipc.MessageReader.open_stream(content)
    length = struct.pack("<q", batch.body.size)
    assert length in content
    path.write_bytes(content.replace(length, struct.pack("<q", 1 << 60), 1))
    assert "after row 0 (it asks for more memory than there is)" in refusal(path)
