"""Configurations: unknown keys with a suggestion, all problems at once, variants, limits, those that are bundled."""

from pathlib import Path

import pytest
import yaml
from configurations import MINIMAL, loaded, problems

from amends.config.reading import load_configuration
from amends.config.settings import variants
from amends.errors import ConfigError
from amends.stages.induce import InduceSettings
from amends.training.settings import TrainSettings
from conftest import CONFIGS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def test_defaults(path: Path) -> None:
    configuration = loaded(path)
    assert (configuration.model, configuration.seed) == ("embedded", 0)
    assert configuration.methods == ["vanilla", "sft", "mistake-analysis"]
    assert (configuration.judge, configuration.gate) == ("probe", "gate")
    assert configuration.induce == InduceSettings()
    assert configuration.train == TrainSettings()


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_every_configuration_at_hand_is_valid(file: Path) -> None:
    configuration = load_configuration(file)
    assert ("vanilla" in configuration.methods and len(configuration.methods) > 1) or configuration.variants
    kinds = {suite.kind for suite in configuration.suites.values()}
    assert {"red-team", "over-refusal", "benign"} <= kinds or kinds == {"verdict"}, "no safety without its price"


def test_there_are_configurations_at_hand() -> None:
    assert {file.name for file in CONFIGS.glob("*.yaml")} >= {"quickstart.yaml", "pku-saferlhf.yaml", "7b.yaml"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sede: 1", "sede: unknown key; did you mean 'seed'?"),
        ("train: {epoch: 3}", "train.epoch: unknown key; did you mean 'epochs'?"),
        ("induce: {temprature: 1}", "induce.temprature: unknown key; did you mean 'temperature'?"),
        ("benign: {sources: x.jsonl, source: x.jsonl}", "benign.sources: unknown key; did you mean 'source'?"),
        (
            "compose: {xyz: 1}",
            "compose.xyz: unknown key; known: safe, benign, analysis, answer, revised, reply, chain, contrast, "
            "verdict, hindsight, placebo, preference",
        ),
    ],
)
def test_unknown_keys_name_the_nearest(path: Path, text: str, expected: str) -> None:
    assert problems(path, MINIMAL + text) == [expected]


def test_unknown_key_of_a_suite_names_the_nearest(path: Path) -> None:
    text = "instructions: {source: a.jsonl}\nsuites:\n  redteam: {source: b.jsonl, kind: red-team, limits: 3}\n"
    assert problems(path, text) == ["suites.redteam.limits: unknown key; did you mean 'limit'?"]


def test_all_problems_come_at_once(path: Path) -> None:
    text = """
sede: 1
instructions: {columns: {prompt: question}}
suites:
  redteam: {source: test.jsonl, kind: red-teem}
methods: [vanilla, mistake-analisys]
train: {epochs: -1, learning_rate: fast}
induce: {temperature: 3}
"""
    found = problems(path, text, "respond.max_new_tokens=0", "nonsense")
    keys = [problem.partition(":")[0] for problem in found]
    assert sorted(keys) == sorted(
        [
            "override 'nonsense'",
            "sede",
            "instructions.source",
            "suites.redteam.kind",
            "methods.1",
            "train.epochs",
            "train.learning_rate",
            "induce.temperature",
            "respond.max_new_tokens",
        ]
    )
    assert len(found) == 9


def test_the_message_counts_the_problems() -> None:
    assert str(ConfigError("a.yaml", ["x: bad"])) == "a.yaml: 1 problem\n  - x: bad"
    assert str(ConfigError("a.yaml", ["x", "y"])) == "a.yaml: 2 problems\n  - x\n  - y"


def test_unknown_suite_kind_and_method_name_the_nearest(path: Path) -> None:
    text = MINIMAL.replace("red-team}", "redteam}") + "methods: [vanila]"
    kind, method = problems(path, text)
    assert kind.startswith("suites.redteam.kind: unknown suite kind 'redteam'; did you mean 'red-team'? known: ")
    assert method.startswith("methods.0: unknown method 'vanila'; did you mean 'vanilla'? known: vanilla, sft, ")


def test_unknown_guides_name_the_nearest(path: Path) -> None:
    text = MINIMAL + "induce: {guides: [plane]}\nanalyze: {guides: [told-sufix]}\nrespond: {guide: remind}"
    induce, analyze, respond = problems(path, text)
    assert induce.startswith("induce.guides: unknown induce guide 'plane'; did you mean 'plain'? known: plain, ")
    assert "'told-sufix'; did you mean 'told-suffix'?" in analyze
    assert "'remind'; did you mean 'reminder'?" in respond


def test_a_method_twice_a_strange_suite_name_and_one_probe_for_both_are_refused(path: Path) -> None:
    text = MINIMAL.replace("redteam:", '"red/team":') + "methods: [sft, sft]\njudge: gate"
    assert sorted(problem.partition(":")[0] for problem in problems(path, text)) == [
        "judge",
        "methods",
        "suites.red/team",
    ]


def test_judge_and_gate_are_never_the_same(path: Path) -> None:
    """Invariant 5: a judge never gated the data that the system was trained on."""
    (problem,) = problems(path, MINIMAL, "gate=own.safetensors", "judge=own.safetensors")
    assert problem.startswith("judge: is the gate too")


VARIANTS = """
methods: [mistake-analysis]
variants:
  whole: {}
  unguided: {analyze.guides: [unguided], train.epochs: 3}
  nested: {analyze: {attempts: 2}}
train: {rank: 3}
analyze: {max_new_tokens: 9}
"""


def test_variants_are_whole_configurations(path: Path) -> None:
    configuration = loaded(path, text=MINIMAL + VARIANTS)
    found = variants(configuration)
    assert found["whole"] == configuration.model_copy(update={"variants": {}})
    assert (found["unguided"].analyze.guides, found["unguided"].train.epochs) == (["unguided"], 3)
    assert found["unguided"].induce == configuration.induce
    assert found["unguided"].train.rank == 3
    assert (found["nested"].analyze.attempts, found["nested"].analyze.max_new_tokens) == (2, 9), "the rest is kept"
    deeper = variants(loaded(path, "variants.whole.train.epochs=0.5", text=MINIMAL + VARIANTS))["whole"]
    assert (deeper.train.epochs, deeper.train.rank) == (0.5, 3)


def test_a_limit_reaches_the_sets_of_variants(path: Path) -> None:
    text = MINIMAL + VARIANTS.replace("whole: {}", "whole: {instructions.limit: 200}")
    assert variants(loaded(path, text=text, limit=5))["whole"].instructions.limit == 5
    assert variants(loaded(path, text=text))["whole"].instructions.limit == 200


def test_every_problem_of_variants_is_named(path: Path) -> None:
    text = MINIMAL + VARIANTS.replace("whole: {}", "'a/b': {train.epoch: 1, seed: 3}").replace("[unguided]", "[none]")
    assert [problem.partition(";")[0] for problem in problems(path, text)] == [
        "variants.a/b: names are letters, digits, - and _ and begin with a letter or digit (they become file names)",
        "variants.a/b: seed: a variant has none of its own",
        "variants.a/b: train.epoch: unknown key",
        "variants.unguided: analyze.guides: unknown analyze guide 'none'",
    ]


def test_limit_caps_every_set_and_raises_none(path: Path) -> None:
    text = MINIMAL.replace("train.jsonl}", "train.jsonl, limit: 100}") + "benign: {source: b.jsonl, limit: 2}"
    configuration = loaded(path, limit=5, text=text)
    assert configuration.instructions.limit == 5
    assert configuration.benign is not None
    assert configuration.benign.limit == 2
    assert configuration.suites["redteam"].limit == 5
    assert loaded(path).instructions.limit is None


def test_a_missing_file_names_the_bundled_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'quickstart'\? bundled are: 7b, .*, quickstart"):
        load_configuration("configs/quickstart.yaml")
    with pytest.raises(ConfigError, match=r"no such file; bundled are: 7b, ablations"):
        load_configuration(tmp_path / "missing.yaml")


def test_a_bundled_configuration_has_a_name_and_a_file_of_that_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_configuration(None) == load_configuration("own")
    (tmp_path / "quickstart").mkdir()  # a run directory, say
    assert load_configuration("quickstart") == load_configuration(CONFIGS / "quickstart.yaml")
    (tmp_path / "own").write_text(MINIMAL, encoding="utf-8")
    assert load_configuration("own", limit=3).instructions.limit == 3
    assert load_configuration("own") != load_configuration(CONFIGS / "own.yaml")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1", "is not YAML"),
        (b"a: 2024-13-45", "is not YAML"),
        (b"train: {rank: 4}\nseed: 1\ntrain: {epochs: 3}\n", "is not YAML: the key 'train' is there twice"),
        (b"", "is no mapping of keys to values"),
        (b"- a\n- b\n", "is no mapping of keys to values"),
        (b"a: \xff", "is not UTF-8 (byte 4); save the file as UTF-8"),
        (b"{}", "instructions: is missing"),
    ],
)
def test_files_that_are_no_configuration(path: Path, content: bytes, expected: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_configuration(path)
    assert caught.value.problems[0].startswith(expected)


def test_a_directory_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name a configuration in it"):
        load_configuration(tmp_path)


@pytest.mark.parametrize(
    ("settings", "samples", "steps"),
    [
        ({"epochs": 2, "batch_size": 16}, 16, 2),
        ({"epochs": 2, "batch_size": 16}, 17, 4),
        ({"epochs": 1, "batch_size": 4, "gradient_accumulation": 2}, 17, 3),
        ({"epochs": 0.5, "batch_size": 4}, 16, 2),
        ({"max_steps": 7}, 1000, 7),
        ({"max_tokens": 2500, "batch_size": 4}, 16, 10),
        ({}, 0, 1),
    ],
)
def test_steps_of_a_training(settings: dict[str, float], samples: int, steps: int) -> None:
    assert TrainSettings.model_validate(settings).steps(samples, 1000) == steps


def test_a_configuration_survives_its_own_file(path: Path) -> None:
    """run.json holds the configuration, and a run directory is recognised by it."""
    configuration = loaded(path, "seed=3")
    path.write_text(yaml.safe_dump(configuration.model_dump(mode="json")))
    assert load_configuration(path) == configuration


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seeds=[1]", "seeds: name at least two different ones (or seed alone)"),
        ("seeds=[1, 1]", "seeds: name at least two different ones (or seed alone)"),
        ("seeds=[0, -1]", "seeds.1: input should be greater than or equal to 0 (it is -1)"),
        ("seeds=[0, 2147483648]", "seeds.1: input should be less than 2147483648 (it is 2147483648)"),
        ("respond.inference=[guided, guided]", "respond.inference: one is named twice"),
        ("train.max_tokens=5", "train: name max_steps or max_tokens, not both"),
        (
            "compose={safe: 0, benign: 0}",
            "compose.safe, compose.benign: sft has nothing to train on where all of these",
        ),
        ("preference.generations=3", "preference.generations: must divide the 16 answers of a step"),
    ],
)
def test_what_the_main_table_cannot_be_made_with(override: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_configuration(CONFIGS / "methods.yaml", [override])
    assert caught.value.problems[0].startswith(problem)
