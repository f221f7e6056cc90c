"""What --help says: options of settings are the settings' own, and each command shows how it is called."""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from amends.cli.app import COMMANDS, PROBE_COMMANDS, app
from amends.cli.settings_options import Fields, Of, with_options
from amends.errors import ConfigError
from amends.settings import Settings
from conftest import run_amends

pytestmark = pytest.mark.usefixtures("no_model_loads")
ALL = [(name,) for name in COMMANDS] + [("probe", name) for name in PROBE_COMMANDS]
LIBRARIES = {
    "jinja2",
    "numpy",
    "openai",
    "pyarrow",
    "regex",
    "rich",
    "scipy",
    "sqlite3",
    "torch",
    "transformers",
    "yaml",
}
"""What computes, reads or draws: no help does."""


class Egg(Settings):
    """How an egg is boiled."""

    minutes: int = Field(default=5, ge=1, le=30, description="How long it is boiled.")
    salt: float = Field(default=0.5, gt=0, description="Grams of salt.")
    size: str | None = Field(default=None, description="Its size.")
    herbs: list[str] = Field(default=["chives"], description="What is strewn on it.")
    served: str | list[str] = Field(default="cup", description="In what.")
    peeled: bool = Field(default=False, description="Peel it.")


def called(*arguments: str) -> tuple[Any, dict[str, Any]]:
    """What a command with the options of an egg gives, and what it was called with."""
    got: dict[str, Any] = {}

    def boil(
        egg: Annotated[Egg, Fields(flags={"herbs": "--herb"})], again: Annotated[int, Of(Egg, "minutes", "--again")]
    ) -> None:
        got.update(egg=egg, again=again)

    cook = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    cook.command()(with_options(boil))
    return CliRunner().invoke(cook, list(arguments)), got


def test_options_have_names_types_defaults_bounds_and_help_of_the_fields() -> None:
    shown = re.sub(r"\s+", " ", called("--help")[0].output)
    assert "--minutes <int range> How long it is boiled. [default: 5; 1<=x<=30]" in shown
    assert "--salt <float> Grams of salt. It is above 0. [default: 0.5]" in shown
    assert "--herb NAME What is strewn on it. Repeat it for several. [default: chives]" in shown
    assert "--served YAML In what. [default: cup]" in shown
    assert "--peeled Peel it." in shown and "--no-peeled" not in shown


def test_a_command_gets_the_settings() -> None:
    assert called()[1] == {"egg": Egg(), "again": 5}
    given = ["--minutes", "7", "--herb", "dill", "--herb", "cress", "--served", "[cup, toast]", "--peeled"]
    assert called(*given)[1]["egg"] == Egg(minutes=7, herbs=["dill", "cress"], served=["cup", "toast"], peeled=True)


def test_what_the_settings_refuse_is_said_of_the_options_all_at_once() -> None:
    error = called("--salt", "0", "--size", " ")[0].exception
    assert isinstance(error, ConfigError)
    assert [problem.partition(":")[0] for problem in error.problems] == ["--salt", "--size"]
    assert called("--minutes", "31")[0].exit_code == 2
    error = called("--served", "[cup", "--salt", "-1")[0].exception
    assert isinstance(error, ConfigError)
    assert [" ".join(problem.split()[:4]) for problem in error.problems] == [
        "--served: is not YAML:",
        "--salt: input should be",
    ]


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_help_ends_with_an_example_that_can_be_called(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_amends(*command, "--help") == 0
    shown, _, example = capsys.readouterr().out.partition("Example:\n")
    assert "Options:" in shown
    line, *_ = example.splitlines()
    words = shlex.split(line)
    assert words[: len(command) + 1] == ["amends", *command]
    group: Any = typer.main.get_command(app)
    for name in command[:-1]:
        group = group.commands[name]
    with group.commands[command[-1]].make_context(command[-1], words[len(command) + 1 :]) as context:
        assert context.params, "it is understood"


def loaded_for(*commands: list[str]) -> tuple[str, set[str]]:
    """What commands print, and all modules that were imported for them, in one process of their own."""
    code = (
        f"import sys\nfrom amends.cli.app import app\nfor command in {commands}:\n"
        " try: app(command)\n except SystemExit as done: assert done.code == 0\n"
        "print(sorted(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return found, set(ast.literal_eval(found.splitlines()[-1]))


def test_the_command_tree_is_shown_without_importing_a_command() -> None:
    found, loaded = loaded_for(["--help"])
    assert loaded.isdisjoint(LIBRARIES | {"pydantic", "amends.cli.stages"})
    assert re.search(r"induce +Bring a model to answer harmfully", found)
    assert [name for name in COMMANDS if not re.search(rf"^  {name} +\w", found, re.MULTILINE)] == []


def test_help_of_a_command_loads_what_that_command_is_told_and_no_more() -> None:
    """A run's own help is apart: it lists every name and every setting that there is."""
    _, loaded = loaded_for(*([*command, "--help"] for command in ALL if command != ("run",)))
    assert loaded.isdisjoint(LIBRARIES)
    assert loaded.isdisjoint({"amends.config.settings", "amends.data.sources", "amends.models.hf"})
    assert [one for one in loaded if one.startswith(("amends.api", "amends.pipeline", "amends.reporting"))] == []
    _, loaded = loaded_for(["run", "--help"])
    assert loaded.isdisjoint(LIBRARIES - {"numpy", "regex", "scipy", "sqlite3", "yaml"})


def test_shells_complete_commands_and_options() -> None:
    def completed(words: str) -> str:
        told = {"_AMENDS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        code = "import sys; sys.argv = ['amends']; from amends.cli.app import app; app(prog_name='amends')"
        return subprocess.run(
            [sys.executable, "-c", code], env=os.environ | told, capture_output=True, text=True
        ).stdout

    assert completed("amends ind").split() == ["induce"]
    assert completed("amends induce --max").split() == ["--max-new-tokens"]


def test_a_guide_that_would_not_be_used_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    start = ["respond", "--prompts", "bundled:redteam/test", "--out", str(tmp_path / "out.jsonl"), "--guide", "other"]
    assert "--guide names the reminder of guided inference; add --guided" in refused(*start)
    assert "unknown respond guide 'other'" in refused(*start, "--guided")
