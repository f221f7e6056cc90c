"""Overrides of a configuration: what they reach, what they may be, and text that stays as it is."""

from pathlib import Path

import pytest
from configurations import MINIMAL, loaded, problems

from amends.config.reading import load_configuration
from amends.config.settings import Configuration, variants
from amends.errors import ConfigError
from amends.settings.keys import holds_text
from conftest import CONFIGS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def test_a_suite_that_is_null_is_left_out() -> None:
    assert "attacks" in load_configuration(CONFIGS / "own.yaml").suites
    assert "attacks" not in load_configuration(CONFIGS / "own.yaml", ["suites.attacks=null"]).suites


def test_a_key_of_a_suite_can_be_null() -> None:
    limited = load_configuration(CONFIGS / "own.yaml", ["suites.attacks.limit=3", "suites.attacks.limit=null"])
    assert limited.suites["attacks"].limit is None


def test_a_suite_that_is_not_there_is_not_left_out() -> None:
    with pytest.raises(ConfigError, match="there is no such suite; known: redteam, attacks"):
        load_configuration(CONFIGS / "own.yaml", ["suites.attack=null"])


def test_overrides_are_yaml_and_reach_into_sections(path: Path) -> None:
    configuration = loaded(
        path,
        "seed=7",
        "train.epochs=0.5",
        "methods=[vanilla]",
        "suites.redteam.limit=3",
        "benign.source=b.jsonl",
        "train.max_steps=null",
    )
    assert configuration.seed == 7
    assert configuration.train.epochs == 0.5
    assert configuration.methods == ["vanilla"]
    assert configuration.suites["redteam"].limit == 3
    assert configuration.benign is not None
    assert configuration.benign.source == "b.jsonl"


@pytest.mark.parametrize(
    "text",
    ["# Ann\n\n- You are: kind #1\n", "yes", "12", "{% raw %}", "'quoted' \"twice\"", "a: [b", "Be brief.  # no"],
)
def test_a_system_prompt_is_text_as_it_is(path: Path, text: str) -> None:
    assert loaded(path, f"system_prompt={text}").system_prompt == text


def test_a_system_prompt_can_be_taken_away(path: Path) -> None:
    path.write_text(MINIMAL + "system_prompt: Be brief.")
    assert load_configuration(path, []).system_prompt == "Be brief."
    assert load_configuration(path, ["system_prompt=null"]).system_prompt is None


def test_a_later_override_wins(path: Path) -> None:
    assert loaded(path, "seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "override 'seed': write it as key=value"),
        ("=3", "override '=3': write it as key=value"),
        ("seed.deeper=3", "override 'seed.deeper=3': seed is no section"),
        ("instructions=mine.jsonl", "instructions: is a section; set its keys, as in instructions.source=..."),
        ("suites={}", "suites: is empty; name at least one"),
        ("limit=-3", "limit: input should be greater than or equal to 1 (it is -3)"),
        ("train.epochs=[1", "override 'train.epochs=[1': the value is not YAML"),
        ("train.epoch=3", "train.epoch: unknown key; did you mean 'epochs'?"),
        ("train.epochs=.inf", "train.epochs: input should be a finite number"),
        ("seed=2024-13-45", "override 'seed=2024-13-45': the value is not YAML"),
        ("train.epochs=many", "train.epochs: input should be a valid number"),
        ("train=3", "train: is a section; set its keys, as in train.adapter=..."),
        ("suites=", "suites: input should be a valid dictionary"),
        ("system_prompt=", "system_prompt: is empty; is the file there that it comes from?"),
        ("system_prompt= \n", "system_prompt: is empty; is the file there that it comes from?"),
        ("system_prompt=caf\udce9", "system_prompt: is not UTF-8; save the file that it comes from as UTF-8"),
    ],
)
def test_bad_overrides(path: Path, override: str, expected: str) -> None:
    (problem,) = problems(path, MINIMAL + "seed: 0", override)
    assert problem.startswith(expected)


def test_a_suite_that_is_not_there_has_no_rows_to_limit(path: Path) -> None:
    wanted = "is missing; a suite has a source and a kind: is its name right?"
    found = problems(path, MINIMAL, "suites.redtem.limit=3")
    assert found == [f"suites.redtem.source: {wanted}", f"suites.redtem.kind: {wanted}"]


@pytest.mark.parametrize(
    "text", ["models/My model #2", "0123", "007", "yes", "null", "a: b", "[x", "2024-13-45", "~/m"]
)
def test_settings_that_hold_text_take_it_as_it_is(path: Path, text: str) -> None:
    assert loaded(path, f"model={text}").model == text
    assert loaded(path, f"judge={text}").judge == text
    assert loaded(path, f"analyze.source={text}").analyze.source == text
    assert loaded(path, f"suites.redteam.source={text}").suites["redteam"].source == text
    assert loaded(path, f"instructions.columns.prompt={text}").instructions.columns == {"prompt": text}
    found = loaded(path, f"variants.a.analyze.source={text}", "variants.b={}")
    assert variants(found)["a"].analyze.source == text


def test_null_is_none_where_a_setting_may_be_none(path: Path) -> None:
    assert loaded(path, "instructions.split=0", "instructions.split=null").instructions.split is None
    assert loaded(path, "benign.source=a", "benign=null").benign is None


def test_settings_that_hold_text_are_found_by_their_types() -> None:
    texts = ("model", "system_prompt", "judge", "gate", "analyze.source", "respond.guide", "benign.split")
    assert all(holds_text(Configuration, key)[0] for key in texts)
    others = ("seed", "induce.source", "train.target_modules", "induce.guides", "variants", "suites", "benign", "x.y")
    assert not any(holds_text(Configuration, key)[0] for key in others)
    may_be_none = [holds_text(Configuration, key)[1] for key in ("model", "system_prompt", "suites.mine.split")]
    assert may_be_none == [False, True, True]


@pytest.mark.parametrize("text", ["model: 007", "judge: yes", "gate: 2024-01-01", "respond: {guide: 1.5}"])
def test_text_that_yaml_reads_as_something_else_wants_quotes(path: Path, text: str) -> None:
    (problem,) = problems(path, MINIMAL + text)
    assert "is text, and YAML reads" in problem
    assert "put it in quotes" in problem


@pytest.mark.parametrize("override", ["model=", "judge= ", "instructions.source=", "instructions.split="])
def test_an_empty_text_is_none(path: Path, override: str) -> None:
    (problem,) = problems(path, MINIMAL, override)
    assert problem.startswith(f"{override.partition('=')[0]}: is empty")


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("epochs=3", "train.epochs"),
        ("epoch=3", "train.epochs"),
        ("analyze.epochs=3", "train.epochs"),
        (
            "attempts=2",
            "induce.attempts or analyze.attempts or revise.attempts or answer.attempts or contrast.attempts or "
            "reply.attempts or chain.attempts",
        ),
        ("kind=red-team", "suites.NAME.kind"),
        ("sede=1", "'seed'"),
    ],
)
def test_a_key_of_a_section_is_found_from_elsewhere(path: Path, override: str, meant: str) -> None:
    assert problems(path, MINIMAL, override) == [f"{override.partition('=')[0]}: unknown key; did you mean {meant}?"]
