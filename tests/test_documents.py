"""Documents are in short sentences, what people read first is short, and links lead somewhere."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
README = REPOSITORY / "README.md"
DOCUMENTS = [*REPOSITORY.glob("*.md"), *sorted((REPOSITORY / "docs").rglob("*.md"))]
READ = [one for one in DOCUMENTS if one.name != "CHANGELOG.md"]
"""What is read for itself; the history of changes is looked up."""
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE_BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
MOST_WORDS = 25


def name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def sentences(text: str) -> list[str]:
    """The sentences of a document: without code and tables, a word of code or a link counted as one word."""
    text = CODE_BLOCK.sub("", text)
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=[-*>|#] |\d+\. )", text):
        if paragraph.strip().startswith(("|", "#")):
            continue
        plain = LINK.sub("]", re.sub(r"`[^`]*`", "code", " ".join(paragraph.split())))
        found += re.split(r"(?<=[.!?:;])\**\s+", plain)
    return found


@pytest.mark.parametrize("path", READ, ids=name)
def test_sentences_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [one for one in sentences(text) if len(one.split()) > MOST_WORDS] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in LINK.findall(CODE_BLOCK.sub("", path.read_text(encoding="utf-8"))):
        if not link.startswith(("http", "#")):
            assert (path.parent / link.partition("#")[0]).exists(), link


def test_the_readme_is_read_in_some_minutes() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert len(text.split()) <= 1200
