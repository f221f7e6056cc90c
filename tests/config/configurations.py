"""A small configuration, what is read of it, and what is wrong with it."""

from pathlib import Path

import pytest

from amends.config.reading import load_configuration
from amends.config.settings import Configuration
from amends.errors import ConfigError

MINIMAL = """
instructions: {source: train.jsonl}
suites:
  redteam: {source: test.jsonl, kind: red-team}
"""


def problems(path: Path, text: str, *overrides: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_configuration(path, list(overrides))
    assert caught.value.exit_code == 2
    assert str(path) in str(caught.value)
    assert all(problem in str(caught.value) for problem in caught.value.problems), "all of them are shown"
    return caught.value.problems


def loaded(path: Path, *overrides: str, limit: int | None = None, text: str = MINIMAL) -> Configuration:
    path.write_text(text, encoding="utf-8")
    return load_configuration(path, list(overrides), limit)
