"""Options that several commands share, with their help."""

import codecs
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amends.cli.settings_options import Group, Of
from amends.config.common import CommonSettings
from amends.data.settings import DataSettings
from amends.errors import InputError, closest
from amends.models.kinds import MODELS
from amends.prompts import Language, Question, load_language

if TYPE_CHECKING:
    from amends.reporting.table import Table

UNBROKEN = 10_000
"""Columns of an output that is no terminal: no table is wider, so that each row can be searched for."""


def rows_file(path: Path) -> Path:
    """An output of rows. Raises InputError for a name that no command would read lines of JSON from."""
    if path.name and path.suffix.lower() not in (".jsonl", ".json"):
        raise InputError(f"{path}: would not be read as lines of JSON; end the output's name in .jsonl")
    return path


def text_given(text: str | None) -> str | None:
    """A text of the command line, mostly a file's. Raises InputError where the file was empty or no text."""
    if text is None:
        return None
    if not text.strip():
        raise InputError("--system-prompt is empty; is the file there that it comes from? leave it out for none")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("--system-prompt is not UTF-8; save the file that it comes from as UTF-8")
    return text


Model = Annotated[str, Of(CommonSettings, "model")]
AnyModel = Annotated[str, Of(CommonSettings, "model", also=f"Or another: {MODELS.written()}.")]
SystemPrompt = Annotated[
    str | None, Of(CommonSettings, "system_prompt", also='From a file: "$(cat FILE)".', callback=text_given)
]
LanguageCode = Annotated[str, Of(CommonSettings, "language")]
GuidesFile = Annotated[Path | None, Of(CommonSettings, "guides")]
NeutralQuestion = Annotated[Question, Of(CommonSettings, "question")]
Judge = Annotated[str, Of(CommonSettings, "judge")]
Gate = Annotated[str, Of(CommonSettings, "gate")]
TrustChosen = Annotated[bool, Of(CommonSettings, "trust_chosen")]
Seed = Annotated[int, Of(CommonSettings, "seed")]
Instructions = Annotated[str, Of(DataSettings, "source", "--instructions")]
Prompts = Annotated[str, Of(DataSettings, "source", "--prompts")]
Split = Annotated[str | None, Of(DataSettings, "split")]
Limit = Annotated[int | None, Of(DataSettings, "limit")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--columns", metavar="OURS=THEIRS", help="Our id, prompt, chosen, rejected or category is theirs. Repeatable."
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="COLUMN=VALUE", help="Only rows with that value. Repeatable: another value, another column."
    ),
]
Adapter = Annotated[Path | None, typer.Option("--adapter", help="A PEFT adapter directory trained on that model.")]
Out = Annotated[
    Path,
    typer.Option(
        "--out", callback=rows_file, help="The file to write. A finished one is kept, an interrupted one resumed."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Make finished work of other settings, and damaged work, anew.")
]


@dataclass(frozen=True, kw_only=True)
class Selection(Group):
    """Which rows of a set, and what its columns are."""

    columns: Columns = None
    where: Where = None
    split: Split

    def of(self, source: str, limit: int | None) -> DataSettings:
        """The rows of a source. Raises as `rows`."""
        return rows(source, limit, self.columns, self.where, self.split)


@dataclass(frozen=True, kw_only=True)
class Spoken(Group):
    """The language that models are asked in."""

    language: LanguageCode
    guides_file: GuidesFile

    def load(self, question: Question = "verdict") -> Language:
        """What is said in it, with the user's own file laid over it. Raises InputError for what cannot be used."""
        return load_language(self.language, self.guides_file).asking(question)


def rows(
    source: str,
    limit: int | None,
    columns: list[str] | None = None,
    where: list[str] | None = None,
    split: str | None = None,
    of: str = "",
) -> DataSettings:
    """What a command reads, as a configuration's section. `of` stands before the options' names: `benign-`.

    Raises InputError for a pair that is none, and for one of our columns that is named twice.
    """
    from amends.data.mapping import OWN_COLUMNS

    # Several pairs can stand in one option, since our names are known; a value can have any character.
    ours = "|".join(OWN_COLUMNS)
    parts = [part for one in columns or [] for part in re.split(rf",\s*(?=(?:{ours})=)", one)]
    mapped: dict[str, str] = {}
    for name, value in _pairs(parts, f"--{of}columns", "prompt=goal"):
        if name not in OWN_COLUMNS:
            close = closest(name, OWN_COLUMNS)
            meant = f"did you mean '{close}'?" if close else f"ours are {', '.join(OWN_COLUMNS)}"
            raise InputError(f"--{of}columns {name}={value}: '{name}' is none of our columns; {meant}")
        if mapped.setdefault(name, value) != value:
            raise InputError(f"--{of}columns: '{name}' is both '{mapped[name]}' and '{value}'; name one")
    wanted: dict[str, list[str]] = {}
    for name, value in _pairs(where or [], f"--{of}where", "label=safe"):
        wanted.setdefault(name, []).append(value)
    return DataSettings(source=source, limit=limit, columns=mapped or None, where=wanted or None, split=split)


def _pairs(given: list[str], option: str, example: str) -> Iterator[tuple[str, str]]:
    for one in given:
        name, separator, value = (part.strip() for part in one.partition("="))
        if not (name and separator and value):
            raise InputError(f"{option} {one}: write it as {example}")
        yield name, value


def tables() -> Any:
    """The console that tables are printed on: as wide as the terminal, elsewhere a row is always one line."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=UNBROKEN)


def show(value: Any, as_json: bool, text: str) -> None:
    """Prints a result: as JSON, in ASCII where the output takes no more, or as text."""
    from amends.text.display import for_json, for_terminal

    unicode = codecs.lookup(sys.stdout.encoding or "ascii").name.startswith("utf")
    as_text = json.dumps(value, indent=2, ensure_ascii=not unicode) if as_json else text
    typer.echo(for_json(as_text) if as_json else for_terminal(as_text))


def show_parts(value: Any, as_json: bool, parts: Iterable["str | Table"]) -> None:
    """Prints a result: as JSON, or as lines and tables, which fit the terminal."""
    from amends.text.display import for_terminal

    if as_json:
        show(value, True, "")
        return
    console = tables()
    for part in parts:
        if isinstance(part, str):
            console.print(for_terminal(part), markup=False, highlight=False)
        else:
            console.print(part)


def yield_text(path: Path, facts: dict[str, Any]) -> str:
    """A stage's yield in words: rows, passed, by guide, by reason."""
    share = f" ({facts['yield']:.0%})" if isinstance(facts.get("yield"), int | float) else ""
    lines = [f"{path}: {facts.get('passed', '–')} of {facts.get('rows', '–')} passed{share}"]
    for name, counts in facts.get("guides", {}).items():
        tried, passed = counts.get("tried", 0), counts.get("passed", 0)
        if tried or passed:
            lines.append(f"  guide {name:<26} tried {tried:>6}   passed {passed:>6}")
    for reason, count in facts.get("reasons", {}).items():
        lines.append(f"  rejected: {reason:<40} {count:>6}")
    return "\n".join(lines)
