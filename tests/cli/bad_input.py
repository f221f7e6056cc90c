"""What the tests of bad input share: rows that are good, rows that are not, and what has to be said of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from amends.models.embedded import embedded_model_directory
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

LONG = "a" * 100_000

Row = dict[str, Any]
ROWS: dict[str, Callable[[int], Row]] = {
    "instructions": lambda n: {"id": f"row-{n}", "prompt": f"Question {n}?", "chosen": "An answer."},
    "mistakes": lambda n: {"id": f"row-{n}", "prompt": "Why?", "response": "Bad.", "source": "own", "passed": True},
    "responses": lambda n: {"id": f"row-{n}", "prompt": f"Question {n}?", "response": "An answer."},
    "samples": lambda n: {
        "id": f"row-{n}",
        "kind": "safe",
        "prompt": [{"role": "user", "content": f"Question {n}?"}],
        "completion": [{"role": "assistant", "content": "An answer."}],
    },
}
COMMANDS = {
    "induce": ("instructions", ["induce", "--instructions"]),
    "answer": ("instructions", ["answer", "--instructions"]),
    "respond": ("instructions", ["respond", "--prompts"]),
    "compose": ("instructions", ["compose", "--method", "sft", "--instructions"]),
    "analyze": ("mistakes", ["analyze", "--mistakes"]),
    "revise": ("mistakes", ["revise", "--mistakes"]),
    "judge": ("responses", ["judge", "--responses"]),
    "train": ("samples", ["train", "--samples"]),
}
NEEDED = {"instructions": "prompt", "mistakes": "response", "responses": "response", "samples": "completion"}


def lines(kind: str, count: int = 3) -> list[bytes]:
    return [json.dumps(ROWS[kind](number)).encode() for number in range(1, count + 1)]


def write_lines(path: Path, rows: list[bytes]) -> Path:
    path.write_bytes(b"".join(row + b"\n" for row in rows))
    return path


def good_file(directory: Path, kind: str = "instructions", name: str | None = None) -> Path:
    return write_lines(directory / (name or f"{kind}.jsonl"), lines(kind))


def bad_third_row(kind: str, bad: str) -> tuple[bytes, str]:
    """The row, and what has to be said of it."""
    row = ROWS[kind](3)
    if bad == "not JSON":
        return b'{"id": "row-3", "prompt"', "not JSON (Expecting ':' delimiter at column 25); correct it"
    if bad == "not UTF-8":
        return b'{"id": "row-3", "prompt": "\xff"}', "not UTF-8 (byte 0xff at 28); save the file as UTF-8"
    if bad == "missing column":
        del row[NEEDED[kind]]
        return json.dumps(row).encode(), f"column '{NEEDED[kind]}' is missing; the row has columns id, "
    if bad == "empty prompt":
        row["prompt"] = "   "
        return json.dumps(row).encode(), "column 'prompt' is empty; fill it or drop the row"
    if bad == "long prompt":
        row["prompt"] = LONG
        return json.dumps(
            row
        ).encode(), "column 'prompt' has 100,000 characters, at most 50,000 are allowed; shorten it"
    row["id"] = "row-2"
    return json.dumps(row).encode(), "id 'row-2' is already that of an earlier row (line 2); make the ids distinct"


def config_file(directory: Path, **changes: Any) -> Path:
    """A small experiment over files of its own, with a tiny model unless told another."""
    train, test = good_file(directory, name="train.jsonl"), directory / "test.jsonl"
    write_lines(test, [b'{"id": "t1", "prompt": "Something else?"}'])
    content = {
        "instructions": {"source": str(train)},
        "suites": {"redteam": {"source": str(test), "kind": "red-team"}},
        "methods": ["vanilla", "sft"],
        "model": str(shared_model(directory)),
        **changes,
    }
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def shared_model(directory: Path) -> Path:
    """A tiny model, beside the directory of a test and for all of them."""
    model = directory.parent / "tiny-model"
    return model if model.exists() else tiny_model(model, tokenizer=tiny_tokenizer())


def run_files(*names: str) -> list[str]:
    """What a run may have written when it is refused: these, and how long they took."""
    return [f"run/{name}" for name in (*names, "timings.json")]


DATA = [
    f"{name}{ending}" for name in ("instructions.jsonl", "suites/redteam.jsonl") for ending in ("", ".manifest.json")
]


def model_without_template(directory: Path) -> Path:
    """A base model's directory: everything that is read before the weights."""
    directory.mkdir()
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(embedded_model_directory()) / name, directory)
    return directory
