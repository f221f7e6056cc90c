"""Sources by name: bundled sets, files of every kind, the hub; and that training and evaluation stay apart."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amends.config import DataSettings
from amends.data import sources
from amends.data.normalize import normalize_prompt, prompt_key
from amends.data.sources import BUNDLED_SPLITS, check_disjoint, load_instructions, source_files
from amends.errors import InputError
from amends.records import Instruction
from amends.text import words

SHARED = Path(__file__).parents[3] / "shared" / "data"
ROWS = [{"id": "a", "prompt": "First?", "response": "One."}, {"id": "b", "prompt": "Second?", "response": "Two."}]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows, indent=1))
    else:
        path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def load(source: object, **options: Any) -> Iterator[Instruction]:
    return load_instructions(DataSettings(source=str(source), **options))


def refusal(source: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(load(source, **options))
    return str(caught.value)


def instructions(*prompts: str, prefix: str = "t") -> list[Instruction]:
    return [Instruction(id=f"{prefix}{number}", prompt=prompt) for number, prompt in enumerate(prompts)]


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.parquet"])
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
    ("name", "place"), [("x.jsonl", "line 2"), ("x.jsonl.gz", "line 2"), ("x.json", "row 2"), ("x.parquet", "row 2")]
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
    rows = [ROWS[0] | {"split": "train"}, {"prompt": "x", "split": 3}, ROWS[1] | {"split": "test"}]
    path = tmp_path / "x.json"
    path.write_text(json.dumps([*rows, 1, [2]]))
    message = refusal(path, split="train")
    assert "row 2: column 'split' holds no text" in message
    assert message.endswith("2 other rows cannot be used either: row 4, row 5")
    assert [row.id for row in load(path, split="train", limit=1)] == ["a"]
    assert len(list(load(path, limit=3))) == 3


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
        ("x.csv", "id,prompt\n", "end in one of .jsonl, .jsonl.gz, .json, .parquet"),
        ("x.json", '{"data": []}', "not a list of objects"),
        ("x.json", '{"id": "a"}\n{"id": "b"}\n', "Extra data at line 2, column 1"),
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
    assert "no row has the split 'dev'; there are test, train" in refusal(path, split="dev")
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


def test_hub_data_set_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    calls = []

    def load_dataset(name: str, configuration: str | None, **options: Any) -> Iterator[dict[str, Any]]:
        calls.append((name, configuration, options))
        return iter([{"prompt": "Q", "response": "A"}, {"prompt": ""}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    loaded = load("owner/name")
    assert next(loaded) == Instruction(id="row-00000001", prompt="Q", chosen="A")
    with pytest.raises(InputError, match=r"owner/name \(hub, split train\): row 2: column 'prompt' is empty"):
        next(loaded)
    next(load("owner/name", split="test"))
    next(load("owner/name:one"))
    named = [(None, "train"), (None, "test"), ("one", "train")]
    assert calls == [("owner/name", one, {"split": split, "streaming": True}) for one, split in named]
    assert source_files("owner/name") == source_files("owner/name:one") == []


def run_python(code: str, **environment: str) -> str:
    variables = os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout


def test_hub_data_set_offline_is_refused_with_the_remedy(tmp_path: Path) -> None:
    code = """if True:
        from amends.config import DataSettings
        from amends.data.sources import load_instructions
        from amends.errors import InputError
        try:
            next(load_instructions(DataSettings(source="owner/name")))
        except InputError as error:
            print(error)
    """
    message = run_python(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "owner/name: no such file" in message and "HF_HUB_OFFLINE is set: unset it, or name a local file" in message


def test_import_loads_no_heavy_library() -> None:
    code = "import sys, amends.data.sources; print(sorted({'torch', 'datasets', 'pyarrow'} & set(sys.modules)))"
    assert run_python(code).strip() == "[]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I\n\tdo THIS?", "how do i do this"),
        ("“Straße” … ", "strasse"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("cafe\u0301!", "caf\u00e9"),
        ("...", "..."),
        ("C++", "c++"),
        ("(a) b, c", "a) b, c"),
        ("", ""),
    ],
)
def test_normalize_prompt(text: str, expected: str) -> None:
    assert normalize_prompt(text) == expected
    assert normalize_prompt(expected) == expected


def test_prompt_key_is_eight_stable_bytes() -> None:
    assert prompt_key("How?") == prompt_key(" how ") != prompt_key("Why?")
    assert prompt_key("How?").hex() == "aa88dcb9370785cc"


def test_disjoint_sets_pass() -> None:
    check_disjoint(instructions("a", "b"), [("redteam", instruction) for instruction in instructions("c")])
    check_disjoint([], [])


def test_overlap_is_refused_with_both_ids_the_count_and_the_remedy() -> None:
    train = instructions("How?", "Why?", "why", "Who?")
    evaluation = [("redteam", row) for row in instructions("WHY", "Where?", prefix="e")]
    with pytest.raises(InputError) as caught:
        check_disjoint(train, evaluation)
    message = str(caught.value)
    assert message.startswith("1 evaluation prompt is also") and "redteam 'e0' is training instruction 't1'" in message
    assert "held-out split" in message


def test_many_overlaps_are_counted_and_the_first_named() -> None:
    prompts = [f"Question {number}" for number in range(40)]
    suites = [(suite, row) for suite in ("redteam", "attacks") for row in instructions(*prompts, prefix="e")]
    with pytest.raises(InputError) as caught:
        check_disjoint(instructions(*prompts), suites)
    message = str(caught.value)
    assert message.startswith("80 evaluation prompts are") and "attacks 'e0'" in message and "; ..." in message
    assert len(message) < 600


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs the research data in {SHARED}, which is not in the repository")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("pku_saferlhf_test.jsonl", 383),
        ("hh_harmless_pairs.jsonl", 639),
        ("xsafety_attacks.jsonl", 599),
        ("dolly_slice.jsonl", 1018),
        ("jbb_labelled.jsonl.gz", 800),
        ("mtbench_vicuna.jsonl", 158),
    ],
)
def test_shared_research_data_loads(name: str, count: int) -> None:
    assert sum(1 for _ in load(SHARED / name)) == count


@pytest.mark.skipif(not SHARED.exists(), reason=f"needs the research data in {SHARED}, which is not in the repository")
def test_shared_pku_splits_are_disjoint() -> None:
    train = load(SHARED / "pku_saferlhf_train.jsonl")
    test = load(SHARED / "pku_saferlhf_test.jsonl")
    check_disjoint(train, (("redteam", instruction) for instruction in test))


def test_a_mistyped_path_is_not_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("data/rows", "./rows"):
        with pytest.raises(InputError, match=f"^{Path(name)}: no such file"):
            load(name)


@pytest.mark.parametrize("ending", [".JSONL", ".Json", ".jsonl.GZ"])
def test_endings_have_no_case(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"x{ending.lower()}", [{"prompt": "Hi"}])
    path = path.rename(tmp_path / f"X{ending}")
    assert [row.prompt for row in load(path)] == ["Hi"]
