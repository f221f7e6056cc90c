"""Documents are in short sentences, what people read first is short, and links lead somewhere."""

import importlib.util
import posixpath
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

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


def links(text: str) -> list[str]:
    """What a document links to, but for addresses of elsewhere."""
    return [one for one in LINK.findall(CODE_BLOCK.sub("", text)) if not one.startswith("http")]


def anchors(text: str) -> set[str]:
    """The names of a document's headings, where a repository's page and the site give it the same."""
    titles = re.findall(r"^#+ +(.+?) *$", CODE_BLOCK.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", one.lower()).strip() for one in titles]
    return {one.replace(" ", "-") for one in plain} & {re.sub(r"[-\s]+", "-", one) for one in plain}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path.read_text(encoding="utf-8")):
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_the_site_has_each_page_once_and_its_links_lead_to_pages_of_it() -> None:
    """Without a build: what docs/site.py makes of each page, and the navigation of mkdocs.yml."""
    found = importlib.util.spec_from_file_location("site_pages", REPOSITORY / "docs/site.py")
    assert found and found.loader
    site = importlib.util.module_from_spec(found)
    found.loader.exec_module(site)
    docs = REPOSITORY / "docs"
    pages = {str(path.relative_to(docs)): path for path in docs.rglob("*.md")}
    pages |= {page: REPOSITORY / outside for outside, page in site.OUTSIDE.items()}
    assert sorted(navigation(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"])) == sorted(pages)
    for page, path in pages.items():
        shown = site.on_page_markdown(
            path.read_text(encoding="utf-8"), SimpleNamespace(file=SimpleNamespace(src_uri=page)), None, None
        )
        for link in links(shown):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link.partition("#")[0] or page))
            assert target in pages or (docs / target).is_file(), f"{page}: {link}"


def navigation(entries: list[Any]) -> Iterator[str]:
    """The pages of a navigation, however deep."""
    for entry in entries:
        for one in entry.values():
            yield from [one] if isinstance(one, str) else navigation(one)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_lists_and_tables_are_shown_as_such_by_the_site_too(path: Path) -> None:
    """Its Markdown begins none within a paragraph, where a repository's page does."""
    lines = CODE_BLOCK.sub("\n", path.read_text(encoding="utf-8")).splitlines()
    begins, goes_on = re.compile(r"(- |1\. |\|)"), re.compile(r"(- |\d+\. |\|)")
    assert [
        line
        for before, line in pairwise(lines)
        if begins.match(line) and before.strip() and not before.startswith((" ", "#")) and not goes_on.match(before)
    ] == []


def test_the_readme_is_read_in_some_minutes() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert len(text.split()) <= 1200
