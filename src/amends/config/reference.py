"""docs/reference/configuration.md, made of settings and registries: `python -m amends.config.reference` writes it."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from amends.config.reading import bundled_configurations
from amends.config.registered import all_names, described
from amends.config.settings import Configuration
from amends.settings.fields import default_in_words, in_words
from amends.settings.keys import NAMED, of_name, section_in

PAGE = Path("docs/reference/configuration.md")
COMMAND = f"python -m amends.config.reference > {PAGE}"
WIDTH = 120

BEGIN = f"""\
<!-- Made of the settings' descriptions. Change these, then:
{COMMAND} -->

# Configuration

A YAML file, run by `amends run FILE KEY=VALUE ...`. These come with the package, and are run by their names, as in
`amends run quickstart`: {", ".join(f"`{name}`" for name in bundled_configurations())}.
Start from `own`. Their files are in `amends/config/bundled/`.

Every key can be overridden on the command line, with a dot between section and key: `train.epochs=3`,
`"methods=[vanilla, sft]"`, `suites.attacks=null`. What a setting of text is given there (`model`, `judge`, every
`source` ...) is taken as it is, `"model=models/My model #2"` too. In a file YAML reads it, and `model: "0123"` wants
its quotes. Unknown keys are refused, with the nearest known one. All problems are said at once, and the same ones from
Python: `amends.config.settings.Configuration(...)`.

The single commands have the keys of their section as options: `induce.max_new_tokens` is
`amends induce --max-new-tokens`.
"""
OF_SETS = """\
`instructions` (what mistakes are made of), `benign` (ordinary questions with good answers, or `null`) and each of
`suites` are sets of rows ([formats.md](formats.md), "Instructions"). The names of suites are yours:
`suites.mine.source=FILE suites.mine.kind=red-team`, and `suites.mine=null` leaves one out.

On the command line: `instructions.columns.prompt=goal`, `instructions.where.label=safe`,
`"suites.mine.where.label=[safe, borderline]"`. The single commands have `--columns prompt=goal`, `--where label=safe`
and `--split NAME`. `compose` has `--benign-columns`, `--benign-where` and `--benign-split`, too.

A suite is refused where a column says that its prompts are none for its kind: unsafe ones in `over-refusal` and
`benign` (the contrasts of XSTest), safe ones among unsafe ones in `red-team` and `attacks`. `where` on that column
chooses; naming all of its values takes all rows.
"""
OF_NAMES = """\
Models and judges are named by what is written here, all else by its name. What others have registered, from Python or
by an entry point, is listed too where this page is made there, and by `amends run --help`.

Options of an endpoint stand behind its address, with commas between several:
`endpoint:MODEL@URL#requests=32,reasoning_effort=low`.
"""


def page() -> str:
    """The whole page."""
    own, sections = _experiment_and_sections()
    parts = [_filled(BEGIN), "## The experiment\n", *_entries(own)]
    parts += ["\n## The sets of rows\n", _filled(OF_SETS)]
    for section, names in sections.items():
        parts += [f"\n## {', '.join(names)}\n", _filled(inspect.getdoc(section) or "")]
        parts += _entries(section.model_fields, *names)
    parts += ["\n## What can be named\n", _filled(OF_NAMES)]
    for title, how, lines in described():
        added = [_wrapped(_linked(f"To add one: {how}.\n"), "") + "\n"] if how else []
        parts += [f"\n### {title}\n", *added, *(_wrapped(f"- {line}") for line in lines)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def names_and_keys() -> str:
    """All names and all keys in a few lines, as `amends run --help` shows them."""
    own, sections = _experiment_and_sections()
    keys = [", ".join(own), *(f"{', '.join(names)}: {', '.join(one.model_fields)}" for one, names in sections.items())]
    named = [f"{title}: {', '.join(there)}" for title, there in all_names()]
    lines = [*named, "", f"Keys, each with its meaning in {PAGE}:", *keys]
    return "\n".join(_wrapped(line, "  ", 78) for line in lines)


def _experiment_and_sections() -> tuple[dict[str, FieldInfo], dict[type[BaseModel], list[str]]]:
    """The fields of a configuration that are no sections, and the sections, each with all names that it has."""
    own: dict[str, FieldInfo] = {}
    sections: dict[type[BaseModel], list[str]] = {}
    for name, field in Configuration.model_fields.items():
        if section := section_in(field.annotation):
            sections.setdefault(section, []).append(name)
        elif section := section_in(of_name(field.annotation)):
            sections.setdefault(section, []).append(f"{name}.{NAMED}")
        else:
            own[name] = field
    return own, sections


def _entries(fields: dict[str, FieldInfo], *sections: str) -> Iterator[str]:
    for name, field in fields.items():
        keys = ", ".join(f"`{section}.{name}`" for section in sections) or f"`{name}`"
        yield _wrapped(f"- {keys} ({in_words(field)}; {_default(field)}): {_linked(field.description or '')}")


def _default(field: FieldInfo) -> str:
    return "needed" if field.is_required() else f"default `{default_in_words(field)}`"


def _filled(text: str) -> str:
    """Paragraphs of a text, each in lines that are not too long; a comment stays as it is."""
    paragraphs = text.strip().split("\n\n")
    filled = (one if one.startswith("<!") else _wrapped(_linked(" ".join(one.split())), "") for one in paragraphs)
    return "\n\n".join(filled) + "\n"


def _linked(text: str) -> str:
    """Pages of docs that a text names become links."""
    text = re.sub(r"docs/reference/(\w+\.md)", r"[\1](\1)", text)
    return re.sub(r"docs/((?:guides/)?(\w+\.md))", r"[\2](../\1)", text)


def _wrapped(text: str, indent: str = "  ", width: int = WIDTH) -> str:
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    sys.stdout.write(page())
