"""Columns, rows and splits chosen on the command line, of single commands and of a run."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.config.reading import load_configuration
from amends.config.settings import variants
from amends.data.sources import load_instructions
from conftest import run_amends

READS = {
    "induce": ["induce", "--instructions"],
    "answer": ["answer", "--instructions"],
    "respond": ["respond", "--prompts"],
    "compose": ["compose", "--method", "sft", "--instructions"],
    "study": ["study", "--instructions"],
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    path.write_text("goal,reply,label,split\nQ0,A0,safe,train\nQ1,A1,unsafe,train\nQ2,A2,safe,test\nQ3,A3,other,test\n")
    return path


def composed(out: Path, *options: str) -> list[tuple[str, str]]:
    """Prompts and completions of samples that are made with these options."""
    assert run_amends("compose", "--method", "sft", "--out", str(out), *options) == 0
    samples = [json.loads(line) for line in out.read_text().splitlines()]
    return [(sample["prompt"][0]["content"], sample["completion"][0]["content"]) for sample in samples]


@pytest.mark.parametrize("columns", [["prompt=goal", "chosen=reply"], ["prompt=goal,chosen=reply"]])
def test_columns_rows_and_splits_are_chosen(tmp_path: Path, table: Path, columns: list[str]) -> None:
    start = ["--instructions", str(table), *(word for pair in columns for word in ("--columns", pair))]
    assert composed(tmp_path / "all.jsonl", *start) == [(f"Q{n}", f"A{n}") for n in range(4)]
    assert composed(tmp_path / "one.jsonl", *start, "--where", "label=safe") == [("Q0", "A0"), ("Q2", "A2")]
    several = ["--where", "label=safe", "--where", "label=other", "--where", "split=test"]
    assert composed(tmp_path / "two.jsonl", *start, *several) == [("Q2", "A2"), ("Q3", "A3")]
    assert composed(tmp_path / "split.jsonl", *start, "--split", "test", "--limit", "1") == [("Q2", "A2")]


def test_benign_rows_are_chosen_by_options_of_their_own(tmp_path: Path, table: Path) -> None:
    benign = tmp_path / "benign.jsonl"
    benign.write_text('{"ask": "B0", "say": "C0", "kind": 1}\n{"ask": "B1", "say": "C1", "kind": 2}\n')
    chosen = ["--instructions", str(table), "--columns", "prompt=goal,chosen=reply", "--where", "label=unsafe"]
    own = ["--benign", str(benign), "--benign-columns", "prompt=ask,chosen=say", "--benign-where", "kind=2"]
    assert composed(tmp_path / "out.jsonl", *chosen, *own) == [("Q1", "A1"), ("B1", "C1")]


@pytest.mark.usefixtures("no_model_loads")
@pytest.mark.parametrize("command", READS)
def test_every_command_that_reads_prompts_takes_the_options(
    tmp_path: Path, table: Path, refused: Callable[..., str], command: str
) -> None:
    out = tmp_path / ("out" if command == "study" else "out.jsonl")
    start = [*READS[command], str(table), "--columns", "prompt=goal", "--out", str(out)]
    assert refused(*start, "--where", "label=none").endswith(
        "no row has 'none' in column 'label'; there are safe, unsafe, other"
    )
    assert refused(*start, "--split", "dev").endswith("no row has 'dev' in column 'split'; there are train, test")
    assert "column 'prompts', named in columns for 'prompt', is missing" in refused(
        *READS[command], str(table), "--columns", "prompt=prompts", "--out", str(out)
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--columns", "goal"], "--columns goal: write it as prompt=goal"),
        (["--columns", "=goal"], "--columns =goal: write it as prompt=goal"),
        (["--columns", "prmpt=goal"], "--columns prmpt=goal: 'prmpt' is none of our columns; did you mean 'prompt'?"),
        (["--columns", "goal=prompt"], "ours are id, prompt, chosen, rejected, category"),
        (["--columns", "prompt=goal", "--columns", "prompt=reply"], "'prompt' is both 'goal' and 'reply'; name one"),
        (["--where", "label"], "--where label: write it as label=safe"),
        (["--where", "label="], "--where label=: write it as label=safe"),
        (["--benign", "x.jsonl", "--benign-columns", "x"], "--benign-columns x: write it as prompt=goal"),
        (["--benign", "x.jsonl", "--benign-where", "x"], "--benign-where x: write it as label=safe"),
    ],
)
def test_options_that_say_nothing(
    tmp_path: Path, table: Path, refused: Callable[..., str], options: list[str], expected: str
) -> None:
    assert expected in refused(*READS["compose"], str(table), *options, "--out", str(tmp_path / "out.jsonl"))


def test_a_run_takes_them_as_keys(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"instructions: {{source: {table}}}\nsuites:\n  mine: {{source: {table}, kind: over-refusal}}\n")
    chosen = [
        "instructions.columns.prompt=goal",
        "instructions.where.label=safe",
        "instructions.where.split=[train, test]",
    ]
    suite = ["suites.mine.columns.prompt=goal", "suites.mine.where.label=unsafe"]
    configuration = load_configuration(path, [*chosen, *suite])
    assert [row.prompt for row in load_instructions(configuration.instructions)] == ["Q0", "Q2"]
    assert [row.prompt for row in load_instructions(configuration.suites["mine"])] == ["Q1"]


def test_variants_choose_rows_where_the_configuration_chooses_none(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(f"instructions: {{source: {table}}}\nsuites:\n  mine: {{source: {table}, kind: red-team}}\n")
    configuration = load_configuration(
        path, ["variants.a={instructions.where.label: safe}", "variants.b={seed: 0}"][:1]
    )
    assert variants(configuration)["a"].instructions.where == {"label": ["safe"]}


@pytest.mark.usefixtures("no_model_loads")
def test_unsafe_prompts_in_an_over_refusal_suite_stop_a_run(
    tmp_path: Path, table: Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "instructions: {source: 'bundled:redteam/train', limit: 3}\nmethods: [vanilla]\nsuites:\n"
        f"  mine: {{source: {table}, columns: {{prompt: goal}}, kind: over-refusal}}\n"
    )
    may_write = ["run/instructions.jsonl", "run/instructions.jsonl.manifest.json", "run/timings.json"]
    message = refused("run", str(path), "--out", str(tmp_path / "run"), may_write=may_write)
    assert "a suite of kind over-refusal asks safe prompts" in message
    assert "choose with where: {label: [safe, other]} (suites.NAME.where.label=[safe, other])" in message
