"""What newcomers get wrong, each as a command in a directory of theirs: one message with the place and the remedy.

Nothing is written then, no model loads, and the exit code is 2. What is refused of one part alone, in all its forms,
is tested beside that part.
"""

import gzip
import json
import os
import sys
import zipfile
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from conftest import contents, refuse_to_sync, run_amends

pytestmark = pytest.mark.usefixtures("no_model_loads")


def row(number: int, **changes: Any) -> str:
    good = {"id": f"row-{number}", "prompt": f"Question {number}?", "chosen": "An answer."}
    return json.dumps(good | changes) + "\n"


def zipped(text: str) -> bytes:
    """As a sheet is."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", text)
    return buffer.getvalue()


FILES: dict[str, str | bytes] = {
    "good.jsonl": row(1) + row(2),
    "empty.jsonl": "",
    "cut.jsonl": row(1) + row(2) + '{"id": "row-3", "prom',
    "strings.json": '["How?", "Why?"]',
    "latin.jsonl": row(1).encode() + '{"prompt": "Grüße"}\n'.encode("latin-1"),
    "utf16.jsonl": row(1).encode("utf-16"),
    "semicolons.csv": "prompt;chosen\nHow?;So.\n",
    "headless.csv": "How do I do it?,Do not.\n",
    "sheet.xlsx": zipped("<a/>"),
    "paper.jsonl": b"%PDF-1.7\n",
    "number.jsonl": row(1) + row(2, prompt=7),
    "blank.jsonl": row(1) + row(2, prompt=" "),
    "long.jsonl": row(1, prompt="a" * 60_000),
    "twice.jsonl": row(1) + row(1),
    "question.jsonl": '{"question": "How?"}\n',
    "cut.jsonl.gz": gzip.compress(row(1).encode())[:-9],
    "labels.jsonl": '{"prompt": "How?", "chosen": "So.", "is_response_harmful": "yes"}\n',
    "tab.yaml": "model: embedded\n\tmethods: [sft]\n",
    "list.yaml": "- model\n",
    "latin.yaml": "# Grüße\n".encode("latin-1"),
    "model.gguf": b"GGUF",
    "adapter/adapter_config.json": '{"peft_type": "LORA", "base_model_name_or_path": "x/y"}',
    "bare/config.json": '{"model_type": "llama"}',
    "pictures/one.png": b"\x89PNG",
    "notes.txt": "mine",
    "finished/run.json": "{}",
    "mine.jsonl": '{"mine": 1}\n',
}
INDUCE = "induce --out out.jsonl --instructions"
RUN = "run quickstart --out run"
MISUSES = [
    # Files and their rows.
    (f"{INDUCE} god.jsonl", "god.jsonl: no such file; check the path"),
    (f"{INDUCE} pictures", "pictures: is a directory; name a file in it"),
    (f"{INDUCE} empty.jsonl", "empty.jsonl: there are no rows; it needs at least one"),
    (f"{INDUCE} cut.jsonl", "cut.jsonl: line 3: not JSON (Unterminated string starting at at column 17); correct it"),
    (f"{INDUCE} strings.json", 'strings.json: row 1: not a JSON object but text; write rows as {"id": ..., "prompt"'),
    (f"{INDUCE} latin.jsonl", "latin.jsonl: line 2: not UTF-8 (byte 0xfc at 15); save the file as UTF-8"),
    (f"{INDUCE} utf16.jsonl", "utf16.jsonl: line 1: not UTF-8 (it is UTF-16); save the file as UTF-8"),
    (
        f"{INDUCE} semicolons.csv",
        "semicolons.csv: line 1: the header's columns are parted by semicolons; save the file",
    ),
    (f"{INDUCE} headless.csv", "headless.csv: there are no rows; it needs at least one"),
    (f"{INDUCE} sheet.xlsx", "sheet.xlsx: the format is not known by the file's name; save it in one that"),
    (f"{INDUCE} paper.jsonl", "paper.jsonl: line 1: not JSON"),
    (f"{INDUCE} number.jsonl", "number.jsonl: line 2: column 'prompt' is a number and has to be text"),
    (f"{INDUCE} blank.jsonl", "blank.jsonl: line 2: column 'prompt' is empty; fill it or drop the row"),
    (f"{INDUCE} long.jsonl", "long.jsonl: line 1: column 'prompt' has 60,000 characters, at most 50,000 are allowed; "),
    (f"{INDUCE} twice.jsonl", "twice.jsonl: line 2: id 'row-1' is already that of an earlier row (line 1); make the"),
    (f"{INDUCE} question.jsonl", "question.jsonl: line 1: column 'prompt' is missing; the row has columns question; "),
    (f"{INDUCE} cut.jsonl.gz", "cut.jsonl.gz: cannot be read after line 1 ("),
    (f"{INDUCE} labels.jsonl", "labels.jsonl: line 1: column 'is_response_harmful' seems to say whether the answer is"),
    (f"{INDUCE} bundled:redteem/train", "no such bundled set; did you mean bundled:redteam/train?"),
    ("judge --responses good.jsonl --out out.jsonl", "good.jsonl: line 1: column 'response' is missing; the row has"),
    # Configurations.
    ("run quikstart", "quikstart: 1 problem\n  - no such file; did you mean 'quickstart'?"),
    ("run pictures", "pictures: 1 problem\n  - is a directory; name a configuration in it, or a bundled one"),
    (
        "run finished",
        "finished: 1 problem\n  - is a run's directory; name its configuration, and go on with --out finished",
    ),
    (
        "run good.jsonl",
        "good.jsonl: 1 problem\n  - holds rows; give them to a configuration, as in amends run own instr",
    ),
    ("compare finished finished", "finished: is a directory; name two files of verdicts, METHOD/INFERENCE.SUITE.verd"),
    (
        "run tab.yaml",
        "tab.yaml: 1 problem\n  - is not YAML: while scanning for the next token found a tab, indent with",
    ),
    ("run list.yaml", "list.yaml: 1 problem\n  - is no mapping of keys to values; "),
    ("run latin.yaml", "latin.yaml: 1 problem\n  - is not UTF-8 (byte 5); save the file as UTF-8"),
    (f"{RUN} train.epoch=3", "train.epoch: unknown key; did you mean 'epochs'?"),
    (f"{RUN} train.epochs=many", "train.epochs: input should be a valid number"),
    (f"{RUN} train.epochs 3", "override 'train.epochs': write it as key=value, as in train.epochs=3"),
    (f"{RUN} methods=[sftt]", "methods.0: unknown method 'sftt'; did you mean 'sft'?"),
    (f"{RUN} judge=gate", "judge: is the gate too; the judge that evaluates must not have chosen the data"),
    # Flags.
    (
        f"{RUN} --epochs 3",
        "no such option --epochs; a setting is written KEY=VALUE, without dashes; did you mean train.",
    ),
    (f"{RUN} --limit 0", "Invalid value for '--limit': Input should be greater than or equal to 1"),
    ("trian", "No such command 'trian'. Did you mean 'train'?"),
    ("induce --modle embedded", "No such option: --modle (Possible options: --model)"),
    ("induce --model", "Option '--model' requires an argument."),
    ("induce", "Missing option '--instructions'."),
    (f"{INDUCE} good.jsonl --columns promt=goal", "--columns promt=goal: 'promt' is none of our columns; did you mean"),
    (f"{INDUCE} good.jsonl --where label", "--where label: write it as label=safe"),
    (f"{INDUCE} good.jsonl --language de", "unknown language 'de'; known: en, zh."),
    # Models and judges.
    (f"{INDUCE} good.jsonl --model embeded", "unknown model 'embeded'; did you mean 'embedded'?"),
    (f"{INDUCE} good.jsonl --model model.gguf", "model.gguf: is a file; name the directory with config.json"),
    (f"{INDUCE} good.jsonl --model adapter", "adapter: is an adapter; merge it into its model first"),
    (f"{INDUCE} good.jsonl --model pictures", "pictures: no config.json in it, so it is no model directory; name one"),
    (f"{INDUCE} good.jsonl --model bare", "bare: its tokenizer cannot be loaded; save it beside the weights ("),
    (f"{INDUCE} good.jsonl --model http://localhost:8000/v1", "is an address; write a server as endpoint:MODEL@http:"),
    (f"{INDUCE} good.jsonl --model endpoint:gpt", "'endpoint:gpt': write it as endpoint:MODEL@URL, as in "),
    ("judge --responses good.jsonl --judge prob --out out.jsonl", "unknown judge 'prob'; did you mean 'probe'?"),
    # Paths.
    ("induce --instructions good.jsonl --out good.jsonl", "good.jsonl: is read here, and would be replaced; choose"),
    ("induce --instructions good.jsonl --out mine.jsonl", "mine.jsonl: exists and was not written by amends"),
    ("induce --instructions good.jsonl --out out.csv", "out.csv: would not be read as lines of JSON; end the output's"),
    ("induce --instructions good.jsonl --out notes.txt/out.jsonl", "a part of this path is a file, not a directory; "),
    (f"induce --instructions good.jsonl --out {'x' * 300}.jsonl", "a name in this path is too long; choose a shorter"),
    ("report pictures", "pictures/results.json: no such file; finish the run that writes it first"),
    (
        "export pictures --out safe",
        "pictures: no run.json and no config.json in it; name a run directory, or a model's",
    ),
    ("why pictures row-1", "pictures: has no run.json, so it is no run directory; name the one of --out"),
    ("init --model embedded --instructions good.jsonl --out list.yaml", "list.yaml: is there already, and is not over"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newcomer's directory, which they are in."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "words"), MISUSES, ids=[command[:60] for command, _ in MISUSES])
def test_a_misuse_is_one_message_with_place_and_remedy(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    before = contents(here)
    assert run_amends(*command.split()) == 2
    printed = capsys.readouterr()
    assert words in printed.err and printed.out == ""
    assert "Traceback" not in printed.err and printed.err.lower().count("error: ") == 1
    assert contents(here) == before


INIT = ["init", "--model", "embedded", "--instructions", "good.jsonl", "--out", "mine.yaml"]


def stopped(*_: Any) -> None:
    """In the place of a call of the system: the user presses Ctrl-C."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("call", "instead", "code", "words"),
    [
        ("fsync", refuse_to_sync, 2, "mine.yaml: no space left on the device; free some and run the same command"),
        ("replace", stopped, 130, "interrupted; what is finished is kept, the same command goes on from there"),
    ],
    ids=["full disk", "interruption"],
)
def test_what_stops_a_command_is_said_and_the_same_command_works_afterwards(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    instead: Any,
    code: int,
    words: str,
) -> None:
    before = contents(here)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, instead)
        assert run_amends(*INIT) == code
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and contents(here) == before
    assert run_amends(*INIT) == 0
    assert contents(here).keys() - before.keys() == {"mine.yaml"}


@pytest.mark.parametrize("columns", ["0", "wide", "20"])
def test_an_odd_width_of_the_terminal_changes_nothing_that_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    command, words = MISUSES[0]
    assert run_amends(*command.split()) == 2
    assert words in capsys.readouterr().err


def test_an_ascii_locale_shows_what_it_can(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "日本.jsonl").write_text(row(1, prompt="日本 naïve?"), encoding="utf-8")
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, TextIOWrapper(BytesIO(), encoding="ascii"))
    assert run_amends("data", "日本.jsonl", "--unfold") == 0
    sys.stdout.flush()
    shown = sys.stdout.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert "na?ve" in shown and "Traceback" not in shown
