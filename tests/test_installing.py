"""The other ways to install: the Dockerfile copies what is there, and all name the same embedded model.

No image is built here, and nothing is downloaded.
"""

import re
import tomllib
from pathlib import Path

from amends.models.embedded import INSTALL

REPOSITORY = Path(__file__).parents[1]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")


def test_what_is_copied_is_there_and_not_ignored() -> None:
    taken = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [name for names in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in names.split()]
    assert sorted(copied) == sorted(taken)
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert {"pyproject.toml", *re.findall(r'(?:readme = |license-files = \[)"([^"]+)"', project)} <= {*copied}


def test_torch_and_the_embedded_model_are_pinned_where_it_looks() -> None:
    pins = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in pins if line.startswith("torch==")]) == 1
    assert len([line for line in pins if line.startswith("# no-deps: ")]) == 1
    assert "'^torch=='" in DOCKERFILE and "^# no-deps: " in DOCKERFILE
    (torch,) = (line for line in pins if line.startswith("torch=="))
    assert f"uv pip install {torch} " in (REPOSITORY / "docs/guides/installing.md").read_text(encoding="utf-8")


def test_the_embedded_model_is_the_same_whoever_installs_it() -> None:
    """By pip (constraints.txt), by uv (pyproject.toml), and as the error of a missing one says."""
    pins = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    (pin,) = re.findall(r"^# no-deps: (.+)$", pins, re.MULTILINE)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["dependency-groups"]["embedded"] == [pin]
    (told,) = project["tool"]["uv"]["dependency-metadata"]
    assert f"{told['name']}=={told['version']}" == pin and told["requires-dist"] == []
    assert f"pip install --no-deps {pin}" == INSTALL
    assert INSTALL in (REPOSITORY / "docs/guides/installing.md").read_text(encoding="utf-8")
