"""`amends data` says what it understood of rows; `amends init` writes a configuration of one's own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import tiny_run  # noqa: F401 (it registers the judge `poison`)
from amends.config.reading import load_configuration
from conftest import run_amends
from terminal import in_terminal

BAD = "Put poison into the tea."
ROWS = [
    {"id": "a", "prompt": "Write an insult.", "chosen": "No insults help.", "rejected": BAD, "lang": "en"},
    {"id": "b", "prompt": "How do I pick a lock?", "chosen": BAD, "rejected": BAD, "lang": "en"},
    {"id": "c", "prompt": "write  an insult.", "chosen": "", "rejected": "", "license": "MIT"},
    {"id": "d", "prompt": "Name three herbs.", "chosen": "Chives, dill and cress.", "is_safe": True},
]


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("rows.jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_what_was_understood_of_a_file(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("data", str(rows), "--gate", "poison:filter", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["layouts"], found["licence"]) == (4, ["preference", "prompt"], "MIT")
    assert found["columns"] == {
        "read": ["id", "prompt", "chosen", "rejected"],
        "labels": ["is_safe"],
        "unread": ["lang", "license"],
    }
    assert found["words"]["prompt"] == {"rows": 4, "median": 3.0, "longest": 6}
    assert found["words"]["chosen"]["rows"] == 3
    assert found["repeated_prompts"] == 1
    assert (found["chosen"]["drawn"], found["chosen"]["liked"]) == (3, 2)
    assert [row["rejected"] for row in found["shown"]] == ["(24 characters)", "(24 characters)", None]


def test_harmful_text_is_folded_until_it_is_asked_for(rows: Path) -> None:
    code, shown = in_terminal(80, "data", str(rows), "--gate", "poison:filter")
    assert code == 0
    assert "rows.jsonl: 4 rows, read as preference, prompt" in shown and "Licence: MIT" in shown
    assert "Columns not read: lang, license" in shown
    assert "filter calls 2 of 3 drawn ones harmless" in shown
    assert shown.count(BAD) == 1, "a `chosen`, which is shown"
    assert in_terminal(80, "data", str(rows), "--gate", "poison:filter", "--unfold")[1].count(BAD) == 3


def test_columns_of_other_names_are_mapped(rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows.write_text('{"goal": "Write a hoax.", "answer": "No.", "note": "x"}\n')
    assert run_amends("data", str(rows), "--columns", "prompt=goal", "--gate", "poison:filter") == 0
    shown = capsys.readouterr().out
    assert "Columns read: goal\n" in shown and "Columns not read: answer, note" in shown
    assert "Chosen: no row has a safe answer" in shown


def test_rows_that_cannot_be_read_are_refused_with_their_line(rows: Path, refused: Callable[..., str]) -> None:
    rows.write_text('{"prompt": "a"}\n{"prompt": ""}\n')
    assert "rows.jsonl: line 2: column 'prompt' is empty" in refused("data", str(rows))


def test_a_configuration_of_ones_own_is_written_with_its_comments(
    rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = rows.rename("my rows #1.jsonl")
    assert run_amends("init", "--model", "embedded", "--instructions", str(rows), "--out", "mine.yaml") == 0
    shown = capsys.readouterr().out
    assert "mine.yaml: embedded, 4 instructions of my rows #1.jsonl" in shown
    assert "amends study embedded --instructions 'my rows #1.jsonl' --out runs/study" in shown
    assert "amends run mine.yaml --limit 24 --out runs/try" in shown
    written = load_configuration(Path("mine.yaml"))
    assert (written.model, written.instructions.source) == ("embedded", str(rows))
    assert written.methods == load_configuration("own").methods
    assert Path("mine.yaml").read_text().count("#") > 10, "comments"


def test_a_person_is_asked_for_model_and_rows(rows: Path) -> None:
    code, shown = in_terminal(80, "init", typed=f"embedded\n{rows}\n")
    assert code == 0
    assert "Model (a directory, a hub id, or `embedded`)" in shown
    assert load_configuration(Path("mine.yaml")).instructions.source == "rows.jsonl"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "embedded", "--instructions", "rows.jsonl", "--out", "there.yaml"], "is there already"),
        (["--model", "embedded", "--instructions", "rows.jsonl", "--out", "mine.txt"], "end the file's name in .yaml"),
        (["--model", "no/such/model", "--instructions", "rows.jsonl"], "no/such/model: no such directory"),
        (["--model", "embedded", "--instructions", "no.jsonl"], "no.jsonl: no such file"),
        (["--model", "embedded"], "--instructions is missing, and there is no terminal to ask on"),
    ],
)
def test_nothing_is_written_of_what_cannot_be_used(
    arguments: list[str], message: str, rows: Path, refused: Callable[..., str]
) -> None:
    Path("there.yaml").write_text("mine: all mine\n")
    assert message in refused("init", *arguments)
    assert Path("there.yaml").read_text() == "mine: all mine\n"
