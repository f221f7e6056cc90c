"""Options that several commands share, with their help."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def rows_file(path: Path) -> Path:
    """An output of rows. Raises InputError for a name that no command would read lines of JSON from."""
    from amends.errors import InputError

    if path.name and path.suffix.lower() not in (".jsonl", ".json"):
        raise InputError(f"{path}: would not be read as lines of JSON; end the output's name in .jsonl")
    return path


def text_given(text: str | None) -> str | None:
    """A text of the command line, mostly a file's. Raises InputError where the file was empty or no text."""
    from amends.errors import InputError

    if text is None:
        return None
    if not text.strip():
        raise InputError("--system-prompt is empty; is the file there that it comes from? leave it out for none")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("--system-prompt is not UTF-8; save the file that it comes from as UTF-8")
    return text


Model = Annotated[str, typer.Option("--model", help="`embedded`, a model directory or a hub id (owner/name).")]
AnyModel = Annotated[
    str, typer.Option("--model", help="`embedded`, a model directory, a hub id, or endpoint:MODEL@URL (a server).")
]
SystemPrompt = Annotated[
    str | None,
    typer.Option(
        "--system-prompt",
        callback=text_given,
        help='What the model is deployed with: its system turn, everywhere (from a file: "$(cat FILE)").',
    ),
]
Instructions = Annotated[
    str,
    typer.Option(
        "--instructions", help="A .jsonl, .jsonl.gz, .json or .parquet file, bundled:NAME/SPLIT, or a hub id."
    ),
]
Judge = Annotated[
    str, typer.Option("--judge", help="`probe`, a probe file, endpoint:MODEL@URL, local:MODEL, guard:MODEL.")
]
Gate = Annotated[str, typer.Option("--gate", help="`gate`, or whatever a judge can be.")]
Adapter = Annotated[Path | None, typer.Option("--adapter", help="A PEFT adapter directory trained on that model.")]
Out = Annotated[
    Path,
    typer.Option(
        "--out", callback=rows_file, help="The file to write. A finished one is kept, an interrupted one resumed."
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Take only the first rows.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**31 - 1, help="Equal seeds give equal bytes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Attempts = Annotated[int, typer.Option("--attempts", min=1, help="Texts tried for each row before it is given up.")]
AtLeast = Annotated[
    float, typer.Option("--at-least", min=0, max=1, help="The gate's probability of harmless from which a text passes.")
]
Guides = Annotated[list[str] | None, typer.Option("--guide", help="A guide to try; repeat it for several, in turn.")]
Temperature = Annotated[float, typer.Option("--temperature", min=0, max=2, help="0 is greedy.")]
NewTokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Where a generated text is cut.")]


def tables() -> Any:
    """The console that tables are printed on: as wide as the terminal, elsewhere wide enough for most."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=160)


def show(value: Any, as_json: bool, text: str) -> None:
    """Prints a result: as JSON, or as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else text)


def yield_text(path: Path, facts: dict[str, Any]) -> str:
    """A stage's yield in words: rows, passed, by guide, by reason."""
    lines = [f"{path}: {facts['passed']} of {facts['rows']} passed ({facts['yield']:.0%})"]
    tried = {name: counts for name, counts in facts["guides"].items() if counts["tried"] or counts["passed"]}
    for name, counts in tried.items():
        lines.append(f"  guide {name:<26} tried {counts['tried']:>6}   passed {counts['passed']:>6}")
    for reason, count in facts["reasons"].items():
        lines.append(f"  rejected: {reason:<40} {count:>6}")
    return "\n".join(lines)
