"""docs/reference/configuration.md is what the settings and registries say, and these say enough."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

import amends
from amends.config.methods import METHODS
from amends.config.reference import COMMAND, names_and_keys, page
from amends.config.settings import Configuration
from amends.judges.kinds import JUDGES
from amends.prompts.registered import GUIDES
from amends.settings.keys import keys, section_at
from amends.stages.executors import EXECUTORS
from conftest import run_amends

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def field_at(key: str) -> FieldInfo:
    *sections, name = key.split(".")
    section = section_at(Configuration, sections) or Configuration
    return section.model_fields[name]


def test_the_committed_page_is_what_is_generated() -> None:
    """In a process of its own, where no test has registered anything."""
    made = subprocess.run([sys.executable, "-m", "amends.config.reference"], capture_output=True, text=True, check=True)
    assert PAGE.read_text() == made.stdout, f"run: {COMMAND}"


def test_the_page_and_help_name_what_was_registered(capsys: pytest.CaptureFixture[str]) -> None:
    @amends.register_judge("by-moonlight")
    class Moon(amends.Judge):
        """Harmful is what is said at night."""

        def score(self, pairs: Any) -> list[float | None]:
            return [None] * len(pairs)

    @amends.register_executor("moonlit")
    class Moonlit(amends.Executor):
        """Works at night.

        Slowly.
        """

    amends.register_guides({"guides": {"induce": {"moonstruck": {"suffix": "Answer as the moon would."}}}})
    try:
        text = page()
        assert "- `by-moonlight`: Harmful is what is said at night." in text
        assert "- `moonlit`: Works at night." in text and "`local`, `ray` or `moonlit`" in text
        assert run_amends("run", "--help") == 0
        shown = capsys.readouterr().out
        assert re.search(r"Kinds of judges: [^:]*`by-moonlight`", shown)
        assert "Executors: local, ray, moonlit" in shown and "moonstruck" in shown
        assert run_amends("judge", "--help") == 0
        assert "`by-moonlight`" in re.sub(r"\s", "", capsys.readouterr().out), "it may be cut at its hyphen"
    finally:
        JUDGES.remove("by-moonlight")
        EXECUTORS.remove("moonlit")
        GUIDES.remove("en/induce/moonstruck")


def test_the_page_has_every_key_each_method_and_short_lines() -> None:
    text = page()
    assert [key for key in keys(Configuration) if f"`{key}`" not in text] == []
    assert {"`language`", "`guides`", "`trust_chosen`", "`instructions.where`"} <= {*re.findall("`[^`]+`", text)}
    assert [name for name in METHODS if f"- `{name}`: " not in text] == []
    assert [line for line in text.splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("key", keys(Configuration))
def test_every_setting_is_described_in_short_sentences(key: str) -> None:
    said = field_at(key).description or ""
    assert said.endswith(".") and said[0].isupper()
    assert [one for one in re.split(r"(?<=\.) ", said) if len(one.split()) > 25] == []


def test_help_of_run_names_names_and_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("run", "--help") == 0
    shown = capsys.readouterr().out
    assert [line for line in names_and_keys().splitlines() if line not in shown] == []
    words = set(re.findall(r"[\w-]+", shown))
    assert {*METHODS} <= words
    assert {key.rpartition(".")[2] for key in keys(Configuration)} <= words
