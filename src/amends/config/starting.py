"""A configuration to begin with: the bundled `own` with a user's own model and instructions, comments and all."""

import re
from pathlib import Path

from amends.config.reading import BUNDLED, load_configuration
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import InputError
from amends.models.source import find_model
from amends.storage.files import json_text, write_atomically
from amends.text.yaml import read_yaml

TEMPLATE = BUNDLED / "own.yaml"
PLAIN = re.compile(r"[\w./][\w./+@=-]*")
"""Text that YAML reads as it stands, but for what is a number or a word of its own."""


def write_configuration(path: Path, model: str, instructions: str) -> int:
    """Writes it, and returns how many rows the instructions have.

    Args:
        path: the file, which must not be there.
        model: `embedded`, a model directory or a hub id.
        instructions: a file or another source of rows with `prompt`.

    Raises:
        InputError: the file is there, its name is no YAML file's, or model or instructions cannot be used.

    Example:
        write_configuration(Path("mine.yaml"), "models/mine", "mine.jsonl")
    """
    refuse_existing(path)
    find_model(model)
    rows = sum(1 for _ in load_instructions(DataSettings(source=instructions)))
    load_configuration(TEMPLATE, [f"model={model}", f"instructions.source={instructions}"])
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text[text.index("model:") :]  # what stands before says how to use the file that it is
    for key, now, own in (("model", "embedded", model), ("  source", "bundled:redteam/train", instructions)):
        before, line, after = text.partition(f"\n{key}: {now}" if key.startswith(" ") else f"{key}: {now}")
        text = f"{before}{line.removesuffix(now)}{_yaml(own)}{after}"
    made = (
        f"# Made by `amends init`. First on a few rows: amends run {path} --limit 24 --out runs/try\n"
        "# Every key: docs/reference/configuration.md. What a set of rows may be: docs/reference/formats.md.\n"
        f"{text}"
    )
    write_atomically(path, made)
    return rows


def refuse_existing(path: Path) -> None:
    """Raises InputError for a file that is there, and for a name that is no YAML file's."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise InputError(f"{path}: is read as YAML; end the file's name in .yaml")
    if path.exists():
        raise InputError(f"{path}: is there already, and is not overwritten; choose another name with --out")


def _yaml(text: str) -> str:
    """A text as a value of YAML, of which JSON's strings are a part."""
    return text if PLAIN.fullmatch(text) and read_yaml(text) == text else json_text(text).strip()
