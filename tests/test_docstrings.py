"""Examples in docstrings: each public name has one, and those that show what comes back are run."""

import doctest
import importlib
import inspect
from importlib import resources
from pathlib import Path

import pytest

import amends

PACKAGE = Path(str(resources.files("amends")))
SHOWING = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text())


@pytest.mark.parametrize("name", amends.__all__)
def test_a_public_name_has_an_example(name: str) -> None:
    found = getattr(importlib.import_module(f"amends.{amends.PLACES[name]}"), name)
    assert "Example:" in (inspect.getdoc(found) or "")


@pytest.mark.parametrize("path", SHOWING, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_examples_give_what_they_show(path: Path) -> None:
    name = ".".join(("amends", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted > 0
    assert tried.failed == 0
