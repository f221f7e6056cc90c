"""No line has more than 120 characters, in documents, configurations and templates too; ruff holds Python to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
LONGEST = 120


def texts() -> Iterator[Path]:
    """The files of the repository that people read and ruff does not: nothing of environments and runs beside them."""
    kinds = ("*.md", "*.yaml", "*.toml", "*.j2", "*.css", "*.js", "Makefile")
    for folder in (".", "docs/", "dev/", "examples/", "src/"):
        for kind in kinds:
            yield from REPOSITORY.glob(kind if folder == "." else f"{folder}**/{kind}")


def lines_of_prompts(text: str) -> set[int]:
    """Of YAML the numbers of lines in literal blocks (`|`): a line break there is one of what a model is asked."""
    blocks = [one for one in yaml.parse(text) if isinstance(one, yaml.ScalarEvent) and one.style == "|"]
    return {number for one in blocks for number in range(one.start_mark.line + 1, one.end_mark.line + 1)}


def can_be_broken(line: str) -> bool:
    """Rows of tables are one line each; an address, or another word without a space, has no place to break at."""
    return not line.startswith("|") and " " in line.strip().removeprefix("- ")


@pytest.mark.parametrize("path", sorted(texts()), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_no_line_is_longer_than_it_has_to_be(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    spared = lines_of_prompts(text) if path.suffix == ".yaml" else set()
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if len(line) > LONGEST]
    assert [number for number, line in lines if number - 1 not in spared and can_be_broken(line)] == []
