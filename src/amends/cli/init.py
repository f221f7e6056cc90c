"""`amends init`: a configuration of one's own to begin with."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.errors import InputError


def init(
    *,
    model: Annotated[
        str | None, typer.Option("--model", help="`embedded`, a model directory or a hub id; asked for without it.")
    ] = None,
    instructions: Annotated[
        str | None, typer.Option("--instructions", help="Rows with `prompt`, such as FILE.jsonl; asked for without it.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The configuration to write; one that is there stays.")] = Path(
        "mine.yaml"
    ),
    as_json: options.Json = False,
) -> None:
    """Write a configuration for your own model and instructions, with comments, and say what to do with it.

    Example: amends init --model embedded --instructions bundled:redteam/train --out mine.yaml
    """
    from amends.config.starting import refuse_existing, write_configuration

    refuse_existing(out)  # before anything is asked for
    model = model or _asked("--model", "Model (a directory, a hub id, or `embedded`)", "embedded")
    instructions = instructions or _asked(
        "--instructions", "Instructions that nobody must be helped with (rows with `prompt`)", "bundled:redteam/train"
    )
    rows = write_configuration(out, model, instructions)
    found = {"out": str(out), "model": model, "instructions": instructions, "rows": rows}
    next_steps = (
        ["study", model, "--instructions", instructions, "--out", "runs/study"],
        ["run", str(out), "--limit", "24", "--out", "runs/try"],
        ["run", str(out), "--out", f"runs/{out.stem}"],
    )
    lines = [
        f"{out}: {model}, {rows:,} instructions of {instructions}",
        "Next, whether the method can work on it, then a try on few rows, then the whole run:",
        *(f"  {shlex.join(['amends', *step])}" for step in next_steps),
    ]
    options.show(found, as_json, "\n".join(lines))


def _asked(option: str, question: str, default: str) -> str:
    """What a person answers. Raises InputError where nobody is there to be asked."""
    if not sys.stdin.isatty():
        raise InputError(f"{option} is missing, and there is no terminal to ask on; name it")
    return str(typer.prompt(question, default=default, err=True)).strip()
