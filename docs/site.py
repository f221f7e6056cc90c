"""The documentation site's pages that lie outside docs/, and its links: `make docs` calls this (mkdocs.yml)."""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath
from typing import Any

REPOSITORY = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "dev/log/2026.md": "log.md",
}
"""Pages of the site by the file that they are."""
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that lie outside docs/."""
    from mkdocs.structure.files import File

    for name, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(REPOSITORY / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Has links lead to pages of the site; of a link to what is none of its pages the words stay."""
    here = page.file.src_uri
    source = next((name for name, one in OUTSIDE.items() if one == here), join("docs", here))

    def led(link: re.Match[str]) -> str:
        words, target, anchor = link[1], normpath(join(dirname(source), link[2])), link[3] or ""
        if not (REPOSITORY / target).exists():  # an address, or no link but code
            return link[0]
        to = OUTSIDE.get(target) or (relpath(target, "docs") if target.startswith("docs/") else None)
        return f"[{words}]({relpath(to, dirname(here) or '.')}{anchor})" if to else words

    return LINK.sub(led, markdown)
