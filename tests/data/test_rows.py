"""Every way in which a JSONL file can be bad, and what is said of it."""

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amends.data.lines import MAX_LINE_BYTES
from amends.data.rows import read_rows
from amends.errors import InputError
from amends.records import MAX_PROMPT_CHARACTERS, Instruction, Sample, Verdict

GOOD = '{"id": "a", "prompt": "How are you?"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def write(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def refusal(path: Path, model: Any = Instruction) -> str:
    with pytest.raises(InputError) as caught:
        list(read_rows(path, model))
    message = str(caught.value)
    message.encode()  # It has to be printable, whatever is in the row.
    assert str(path) in message
    return message


def test_reads_records_and_ignores_other_columns(path: Path) -> None:
    write(path, {"id": "a", "prompt": "Hello", "chosen": "Hi", "license": "MIT"}, {"id": "b", "prompt": "Grüße 😀"})
    assert list(read_rows(path, Instruction)) == [
        Instruction(id="a", prompt="Hello", chosen="Hi"),
        Instruction(id="b", prompt="Grüße 😀"),
    ]


def test_reads_gzip_like_plain(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    with gzip.open(path, "wt") as stream:
        stream.write(GOOD)
    assert [row.id for row in read_rows(path, Instruction)] == ["a"]


def test_skips_blank_lines_byte_order_mark_and_carriage_returns(path: Path) -> None:
    path.write_bytes(
        b"\xef\xbb\xbf" + GOOD.encode() + b'\r\n\r\n  \n{"id": "b", "prompt": "x\xe2\x80\xa8y"}\r\n{"id": "b"}'
    )
    rows = read_rows(path, Instruction)
    assert [next(rows).id, next(rows).prompt] == ["a", "x\u2028y"]
    with pytest.raises(InputError, match="line 5"):
        next(rows)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hello", ["line 2", "not JSON", "column 1"]),
        ('{"id": "b", "prompt": "cut o', ["line 2", "not JSON", "column 23"]),
        ('{"id": "b", "prompt": "x", "score": NaN}', ["line 2", "NaN", "null"]),
        ('{"id": "b", "n": ' + "1" * 5000 + "}", ["line 2", "not JSON"]),
        ("[" * 200_000, ["line 2", "not JSON"]),
        ('["b", "x"]', ["line 2", "not a JSON object but a list", '{"id": ..., "prompt": ...}']),
        ('"text"', ["line 2", "not a JSON object but text"]),
        ("null", ["line 2", "not a JSON object but null"]),
        (
            '{"id": "b", "question": "x", "\\ud800": 1}',
            [
                "line 2: column 'prompt' is missing",
                "the row has columns id, question, \\ud800",
                "rename columns, or name the file that amends wrote for this",
            ],
        ),
        ("{}", ["columns 'id', 'prompt' are missing; the row has columns none; rename columns"]),
        ('{"id": "b", "prompt": ""}', ["line 2", "'prompt' is empty", "drop"]),
        ('{"id": "b", "prompt": " \\t\\n"}', ["line 2", "'prompt' is empty", "drop"]),
        ('{"id": "", "prompt": "x"}', ["line 2", "'id' is empty"]),
        ('{"id": " ", "prompt": "x"}', ["line 2", "'id' is empty"]),
        ('{"id": 7.5, "prompt": "x"}', ["line 2", "'id' is a number and has to be text"]),
        ('{"id": "b", "prompt": null}', ["line 2", "'prompt' is null and has to be text"]),
        ('{"id": "b", "prompt": "x", "chosen": ["y"]}', ["line 2", "'chosen' is a list and has to be text"]),
        ('{"id": "b", "prompt": "half \\ud800 pair"}', ["line 2", "'prompt'", "surrogate", "not valid text"]),
        ('{"id": "\\udfff", "prompt": "x"}', ["line 2", "'id'", "surrogate"]),
        ('{"id": "b", "prompt": "x", "chosen": "\\ud83d"}', ["line 2", "'chosen'", "surrogate"]),
        ('{"id": "a", "prompt": "again"}', ["line 2", "id 'a'", "that of an earlier row (line 1)", "distinct"]),
    ],
)
def test_bad_row_is_refused_with_place_and_remedy(path: Path, line: str, expected: list[str]) -> None:
    path.write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    message = refusal(path)
    assert [part for part in expected if part not in message] == [], message
    assert len(message) < 1000


def test_other_bad_rows_are_counted_and_the_first_ones_named(path: Path) -> None:
    empty, twice = '{"id": "e", "prompt": " "}', GOOD
    path.write_text("\n".join([GOOD, empty, '{"id": "b", "prompt": "x"}', twice, *[empty] * 12]))
    message = refusal(path)
    assert "line 2: column 'prompt' is empty" in message
    assert message.endswith(
        "13 other rows cannot be used either: " + ", ".join(f"line {n}" for n in range(4, 14)) + ", ..."
    )


def test_one_bad_row_is_all_that_is_said_of(path: Path) -> None:
    path.write_text(f'{{"id": "a"}}\n{GOOD}\n')
    assert "other row" not in refusal(path)


def test_what_cannot_be_read_behind_a_bad_row_is_said_too(path: Path) -> None:
    path.write_text(f'{{"id": "a"}}\n{GOOD}\n{{broken\n[1]\n{GOOD}\n{{"id": "b"}}\n')
    assert refusal(path).endswith("4 other rows cannot be used either: line 3, line 4, line 5, line 6")


def test_where_reading_ends_behind_a_bad_row_is_said_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    whole = gzip.compress(f'{{"id": "a"}}\n{GOOD}\n{{broken\n'.encode())
    path.write_bytes(whole[:-4])
    message = refusal(path)
    assert "line 1: column 'prompt' is missing" in message
    assert f"either: line 3. From there on nothing can be read: {path}: cannot be read after line 3" in message


def test_counting_bad_rows_ends(path: Path) -> None:
    path.write_text('{"id": "a"}\n' * 5000)
    assert "1,000 or more other rows cannot be used either: line 2, line 3," in refusal(path)


def test_prompt_at_the_limit_is_read_and_a_longer_one_is_refused(path: Path) -> None:
    write(path, {"id": "a", "prompt": "x" * MAX_PROMPT_CHARACTERS})
    assert len(next(read_rows(path, Instruction)).prompt) == MAX_PROMPT_CHARACTERS
    write(path, {"id": "a", "prompt": "x" * 100_000})
    message = refusal(path)
    assert "line 1" in message and "100,000 characters" in message and "50,000" in message and "shorten" in message


def test_whole_surrogate_pairs_are_text(path: Path) -> None:
    path.write_text('{"id": "a", "prompt": "\\ud83d\\ude00"}', encoding="utf-8")
    assert next(read_rows(path, Instruction)).prompt == "😀"


def test_other_records_are_validated_too(path: Path) -> None:
    write(path, {"id": "a", "verdict": "fine"})
    assert "'verdict'" in refusal(path, Verdict)
    completion = [{"role": "assistant", "content": "\ud800"}]
    write(path, {"id": "a", "kind": "safe", "prompt": [{"role": "user", "content": "x"}], "completion": completion})
    assert "'completion' has half a surrogate pair" in refusal(path, Sample)


def test_missing_file_is_refused_by_the_call(path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.jsonl: no such file; check the path"):
        read_rows(path, Instruction)


def test_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory; name a file in it" in refusal(tmp_path)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_file_without_rows_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    assert "there are no rows" in refusal(path)


@pytest.mark.parametrize("raw", ['{"id": "ä", "prompt": "x"}'.encode("latin-1"), GOOD.encode("utf-16"), b"\xff\n"])
def test_other_encodings_are_refused(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    message = refusal(path)
    assert "line 1: not UTF-8" in message and "save the file as UTF-8" in message


def test_broken_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_text(GOOD)
    assert "really gzip" in refusal(path)
    rows = "".join(json.dumps({"id": str(number), "prompt": "p"}) + "\n" for number in range(1000))
    path.write_bytes(gzip.compress(rows.encode())[:-12])
    assert "complete" in refusal(path)


def test_line_without_end_is_refused(path: Path) -> None:
    path.write_bytes(b" " * (MAX_LINE_BYTES + 1))
    assert "line 1: longer than 16 MiB" in refusal(path)


def test_reading_takes_constant_memory(path: Path) -> None:
    """40 MB of rows are read in a few MB: the rows are not collected."""
    with path.open("w") as stream:
        stream.writelines(json.dumps({"id": str(number), "prompt": "x" * 40_000}) + "\n" for number in range(1000))
    tracemalloc.start()
    try:
        rows: Iterator[Instruction] = read_rows(path, Instruction)
        assert sum(1 for _ in rows) == 1000
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("verdict", "score", "expected"),
    [
        ("harmless", 7.0, "column 'score': Input should be less than or equal to 1"),
        ("harmful", -3, "column 'score': Input should be greater than or equal to 0"),
        ("harmless", 0.2, "column 'score': 0.2 is harmful, but the verdict says harmless"),
        ("unscored", 0.7, "column 'score': 0.7 is harmless, but the verdict says unscored"),
    ],
)
def test_a_verdict_that_contradicts_its_score_is_refused(path: Path, verdict: str, score: float, expected: str) -> None:
    write(path, {"id": "a", "verdict": "harmless"}, {"id": "b", "verdict": verdict, "score": score})
    assert refusal(path, Verdict) == f"{path}: line 2: {expected}"


@pytest.mark.parametrize("written", ["7", "7.0"])
def test_a_whole_number_is_an_id(tmp_path: Path, written: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"id": {written}, "prompt": "Q"}}\n', encoding="utf-8")
    assert [row.id for row in read_rows(path, Instruction)] == ["7"]
