"""Sources by name: bundled sets, files of every kind, the hub; and that training and evaluation stay apart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from data_files import KINDS, write

from amends.data import sources
from amends.data.settings import DataSettings
from amends.data.sources import BUNDLED_SPLITS, check_disjoint, load_instructions, source_files
from amends.errors import InputError
from amends.records import Instruction
from amends.text.normalized import normalize_prompt, prompt_key
from amends.text.words import words

ROWS = [{"id": "a", "prompt": "First?", "response": "One."}, {"id": "b", "prompt": "Second?", "response": "Two."}]


def load(source: object, **options: Any) -> Iterator[Instruction]:
    return load_instructions(DataSettings(source=str(source), **options))


def refusal(source: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        list(load(source, **options))
    return str(caught.value)


def instructions(*prompts: str, prefix: str = "t") -> list[Instruction]:
    return [Instruction(id=f"{prefix}{number}", prompt=prompt) for number, prompt in enumerate(prompts)]


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


def test_reading_from_the_hub_is_counted_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, connections_elsewhere: list[str]
) -> None:
    """The library counts each use of a data set at a host that the user did not name."""
    import datasets

    def load_dataset(name: str, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        datasets.load.increase_load_count(name)  # as it does, once it knows where the files are
        return iter([{"prompt": "Q"}])

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert [row.prompt for row in load("owner/name")] == ["Q"]
    assert connections_elsewhere == []


def test_labels_of_the_hub_are_the_names_of_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    features = datasets.Features(prompt=datasets.Value("string"), label=datasets.ClassLabel(names=["safe", "unsafe"]))
    found = datasets.Dataset.from_dict({"prompt": ["a", "b", "c"], "label": [0, 1, 0]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: found.to_iterable_dataset())
    assert [row.prompt for row in load("owner/name", where={"label": "safe"})] == ["a", "c"]
    assert [row.prompt for row in load("owner/name", where={"label": ["safe", "other"]}, limit=1)] == ["a"]


def run_python(code: str, **environment: str) -> str:
    variables = os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout


def test_hub_data_set_offline_is_refused_with_the_remedy(tmp_path: Path) -> None:
    code = """if True:
        from amends.data.settings import DataSettings
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
