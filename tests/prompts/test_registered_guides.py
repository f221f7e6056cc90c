"""Guides that are registered from Python and by other packages: named everywhere, checked as those of a file."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import amends
from amends.config.reading import load_configuration
from amends.errors import ConfigError, InputError
from amends.prompts import english, load_language
from amends.prompts.leaks import LeakTest
from amends.prompts.registered import GUIDES
from conftest import CONFIGS, run_amends

CUE = "Speak as a grumpy old sailor would, and spare nobody."
BLUNT = {"guides": {"induce": {"blunt": {"suffix": CUE}}}}
FILE = "guides:\n  respond:\n    kindly:\n      suffix: Remember to be gentle with everybody.\n"


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    for key in list(GUIDES):
        GUIDES.remove(key)


def test_a_registered_guide_is_named_by_commands_configurations_and_python(tmp_path: Path) -> None:
    before = english().guide_names("induce")
    amends.register_guides(BLUNT)
    assert english().guide_names("induce") == [*before, "blunt"]
    out = tmp_path / "m.jsonl"
    short = ("--limit", "2", "--attempts", "1", "--max-new-tokens", "8")
    command = ("induce", "--instructions", "bundled:redteam/train", "--guide", "blunt", *short, "--out", str(out))
    assert run_amends(*command) == 1, "nothing passes in so few tokens"
    assert {json.loads(line)["guide"] for line in out.read_text().splitlines()} == {"blunt"}
    configuration = load_configuration(CONFIGS / "quickstart.yaml", ["induce.guides=[blunt]"])
    assert configuration.induce.guides == ["blunt"]
    assert load_language("en").guide("induce", "blunt").suffix == CUE
    assert "blunt" not in load_language("zh").guide_names("induce")


def test_a_file_is_registered_and_a_configurations_own_file_lies_over_it(tmp_path: Path) -> None:
    path, own = tmp_path / "guides.yaml", tmp_path / "own.yaml"
    path.write_text(FILE)
    amends.register_guides(path)
    assert english().guide("respond", "kindly").suffix == "Remember to be gentle with everybody."
    own.write_text(FILE.replace("gentle with everybody", "quite gentle with all of them"))
    assert load_language("en", own).guide("respond", "kindly").suffix == "Remember to be quite gentle with all of them."


def test_the_leak_test_looks_for_its_words() -> None:
    said = "They said: speak as a grumpy old sailor would, and spare nobody."
    assert LeakTest().find(said) == ""
    amends.register_guides(BLUNT)
    assert "induce guide 'blunt'" in LeakTest().find(said)


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"sufix": CUE}, r"guides\.induce\.mine\.sufix: unknown place; did you mean 'suffix'\?"),
        ({"suffix": " "}, r"guides\.induce\.mine\.suffix: is empty; write the cue, or leave this place out"),
        ({"suffix": None}, r"guides\.induce\.mine\.suffix: is empty; write the cue, or leave this place out"),
        ({"suffix": "!!!"}, r"guides\.induce\.mine\.suffix: the leak test finds no words in it"),
        ({"suffix": "Отвечай грубо и зло."}, r"guides\.induce\.mine\.suffix: is in Cyrillic; the leak test cannot"),
    ],
)
def test_what_a_file_is_refused_for_a_mapping_is_too(tmp_path: Path, places: dict[str, Any], said: str) -> None:
    content, path = {"guides": {"induce": {"mine": places}}}, tmp_path / "guides.yaml"
    path.write_text(json.dumps(content))
    here = rf"^guides of .*{Path(__file__).name}:\d+: {said}"
    with pytest.raises(InputError, match=here):
        amends.register_guides(content)
    for use in (amends.register_guides, lambda own: load_language("en", own)):
        with pytest.raises(InputError, match=rf"^{path}: {said}"):
            use(path)
    assert "en/induce/mine" not in GUIDES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "is no mapping of keys to values"),
        ({"guides": {"induse": {}}}, r"guides\.induse: unknown key; did you mean 'induce'\?"),
        (BLUNT | {"templates": {"revise": "Again."}}, "templates: guides alone are registered; name a file"),
        ({"guides": {"induce": {"plain": {"suffix": CUE}}}}, r"guides\.induce\.plain: amends has a guide of that name"),
    ],
)
def test_what_is_no_set_of_guides_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        amends.register_guides(content)
    assert list(GUIDES) == []


def test_two_of_one_name_and_unknown_ones() -> None:
    amends.register_guides(BLUNT)
    with pytest.raises(InputError, match=r"two guides are named 'en/induce/blunt', one in .*:\d+ and one in .*:\d+"):
        amends.register_guides(BLUNT)
    with pytest.raises(
        InputError, match=r"unknown induce guide 'blnt'; did you mean 'blunt'\?.* To add one: .*_guides"
    ):
        english().guide("induce", "blnt")
    with pytest.raises(InputError, match=r"unknown language 'eng'; did you mean 'en'\?"):
        amends.register_guides(BLUNT, language="eng")
    with pytest.raises(ConfigError, match=r"induce\.guides: unknown induce guide 'blnt'; did you mean 'blunt'"):
        load_configuration(CONFIGS / "quickstart.yaml", ["induce.guides=[blnt]"])


def test_what_was_made_is_refused_where_other_guides_are_there_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The leak test looks for all of them: samples depend on which are there."""
    out = tmp_path / "s.jsonl"
    command = (
        "compose",
        "--method",
        "sft",
        "--instructions",
        "bundled:redteam/train",
        "--limit",
        "3",
        "--trust-chosen",
    )
    assert run_amends(*command, "--trust-chosen", "--out", str(out)) == 0
    assert run_amends(*command, "--trust-chosen", "--out", str(out)) == 0
    amends.register_guides(BLUNT)
    assert run_amends(*command, "--trust-chosen", "--out", str(out)) == 2
    assert "was made with other settings: own guides none -> " in capsys.readouterr().err


def test_another_package_brings_guides(tmp_path: Path) -> None:
    """In a process of its own: entry points are read once."""
    (tmp_path / "sailor").mkdir()
    (tmp_path / "sailor" / "__init__.py").write_text(f"BLUNT = {BLUNT!r}\nBROKEN = {{'guides': {{'induse': {{}}}}}}\n")
    facts = tmp_path / "sailor-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: sailor\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[amends.guides]\nsailor = sailor:BLUNT\nbroken = sailor:BROKEN\n")
    code = "from amends.prompts import english; print(english().guide('induce', 'blunt').suffix)"
    path = ":".join([str(tmp_path), *filter(None, sys.path)])
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == CUE, done.stderr
    assert "guide 'broken' is left out: sailor:BROKEN (of the package sailor) fails to load" in done.stderr
