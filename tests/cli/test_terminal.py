"""What a run's results look like in a terminal: five lines first, and tables of which nothing is cut at any width."""

import json
import re
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from amends.cli.show import show_results
from amends.evaluation.results import Results
from amends.reporting.tables import differences_table, results_table, systems_table
from conftest import run_amends
from terminal import in_terminal

METHODS = ("vanilla", "sft", "mistake-analysis")
PRIMARY = {"a": "mistake-analysis/guided", "b": "sft/guided", "suite": "redteam", "metric": "harmless_probability"}
SUITES = {"redteam": "red-team", "overrefusal": "over-refusal", "benign": "benign"}
METRICS = {"redteam": "harmless_probability", "overrefusal": "refusal_rate", "benign": "reference_loss"}
LICENSED = {"name": "probe/evaluation", "sources": {"saferlhf_labelled": 2278}}


def written(
    directory: Path, detectable: float | None = 0.075, limit: int | None = None, seeds: int = 1, **changes: Any
) -> Results:
    """Results with the names and the shape of the quickstart's, in a run directory of their own."""
    systems = [
        {"method": method, "inference": inference, "suite": suite, "kind": kind, "n": 100}
        | {METRICS[suite]: 0.638, f"{METRICS[suite]}_ci": (0.588, 0.686)}
        for method, inference, (suite, kind) in product(METHODS, ("unguided", "guided"), SUITES.items())
    ]
    compared = [
        {"a": f"{a}/guided", "b": f"{b}/guided", "suite": suite, "metric": metric, "test": "t", "n": 100}
        | {"difference": 0.123, "ci": (-0.149, 0.155), "p_value": 0.905, "detectable": detectable, "seeds": seeds}
        for a, b in (("sft", "vanilla"), ("mistake-analysis", "vanilla"), ("mistake-analysis", "sft"))
        for suite, metric in METRICS.items()
    ]
    content = {
        "model": "embedded",
        "seed": 0,
        "primary": PRIMARY,
        "systems": systems,
        "comparisons": [row | {"primary": {key: row[key] for key in PRIMARY} == PRIMARY} for row in compared],
        "judges": {"evaluation": LICENSED, "gate": LICENSED | {"name": "probe/gate"}},
        "yields": {"induce": {"rows": 48, "passed": 43, "yield": 0.9, "guides": {"plain": {"tried": 9, "passed": 3}}}},
    }
    results = Results.model_validate(content | changes)
    (directory / "mistake-analysis" / "adapter").mkdir(parents=True)
    (directory / "results.json").write_text(results.model_dump_json())
    (directory / "run.json").write_text(json.dumps({"configuration": {"methods": list(METHODS), "limit": limit}}))
    return results


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
def test_no_number_of_a_table_is_cut_in_a_terminal(columns: int, tmp_path: Path) -> None:
    results = written(tmp_path)
    code, shown = in_terminal(columns, "report", str(tmp_path))
    assert code == 0
    assert max(map(len, shown.split("\n"))) <= columns
    tables = systems_table(results), results_table(results), differences_table(results)
    cells = [cell for table in tables for row in table.rows for cell in row[len(table.names) :]]
    numbers = Counter(number for cell in cells for number in re.findall(r"[+-]?\d+\.\d+(?: \[[^]]*\])?", cell))
    assert {number: shown.count(number) for number in numbers if shown.count(number) < numbers[number]} == {}
    assert all(shown.count(f"{method}/guided") + shown.count(f"{method} · guided") >= 2 for method in METHODS)


def test_a_row_stands_on_one_line_where_it_fits_and_below_its_names_elsewhere(tmp_path: Path) -> None:
    written(tmp_path)
    wide, narrow = (in_terminal(columns, "report", str(tmp_path))[1] for columns in (200, 60))
    assert re.search(r"^sft +guided +63\.8 \[58\.8, 68\.6\] +63\.8 \[58\.8, 68\.6\] +0\.638", wide, re.MULTILINE)
    assert re.search(r"^sft · guided\n +redteam harmless, mean +63\.8 \[58\.8, 68\.6\]", narrow, re.MULTILINE)


def test_what_is_piped_has_each_row_on_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = written(tmp_path)
    assert run_amends("report", str(tmp_path)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    for row in differences_table(results).rows:
        assert " ".join(row).split() in lines
    assert [line[0] for line in lines[:5]] == ["Found:", "Cost:", "Files", "Licence:", "Next:"]


def test_the_last_screen_of_the_quickstart_is_its_finding_and_a_line_a_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(Path("runs/quickstart"))

    def end_of_run() -> int:
        show_results(Path("runs/quickstart/results.json"), as_json=False, whole=False)
        return 0

    code, shown = in_terminal(80, run=end_of_run)
    assert code == 0
    assert len(shown.rstrip("\n").split("\n")) < 24, "one line is the shell's"
    said = " ".join(shown.split())
    assert "Found: No clear difference between mistake-analysis and sft" in said
    assert "on redteam: +12.3 [-14.9, +15.5] points" in said and "100 prompts can show 7.5 points or more." in said
    assert "against the untouched model +12.3 [-14.9, +15.5] points: no clear difference" in said, "the cost"
    assert 'mistake-analysis/adapter, report.html. Reminder: "Please make sure' in said
    assert "Licence: probe/evaluation and probe/gate learnt in part from labels under CC-BY-NC-4.0" in said
    assert "Next: " in said
    assert len(re.findall(r"^\S+/(?:un)?guided +63\.8 \[58\.8, 68\.6\] +63\.8 +0\.638$", shown, re.MULTILINE)) == 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"limit": 24}, "A TRY, no evidence: limit 24 took at most 24 rows of every set."),
        (
            {"detectable": 0.2},
            "A TRY, no evidence: 100 prompts are too few to find true differences below 20.0 points.",
        ),
        ({"detectable": None}, "100 prompts are too few to find any difference"),
        ({"detectable": 0.2, "primary": None}, "too few to find true differences below 20.0 points"),
        ({"detectable": None, "seeds": 2}, "100 prompts and 2 seeds are too few to find any difference"),
        ({}, ""),
    ],
)
def test_a_try_says_so_above_every_table(
    changes: dict[str, Any], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = written(tmp_path, **changes)
    assert run_amends("report", str(tmp_path)) == 0
    shown = capsys.readouterr().out
    tables = shown.count("\n─")
    assert tables >= 5
    assert shown.count("A TRY") == (tables if words else 0)
    assert words in shown
    page = (tmp_path / "report.html").read_text()
    assert ("A TRY" in page) == bool(words)
    assert run_amends("report", str(tmp_path), "--markdown") == 0
    shown = capsys.readouterr().out
    assert shown.count("**A TRY") == (shown.count("\n|---") if words else 0)
    assert results.systems


def test_a_run_with_a_limit_ends_as_a_try(
    tiny_settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "try"
    smallest = ["methods=[vanilla]", "primary=null", "suites.overrefusal=null", "suites.benign=null"]
    assert run_amends("run", *tiny_settings, *smallest, "--limit", "2", "--out", str(out)) == 0
    shown = capsys.readouterr().out
    try_said = "A TRY, no evidence: limit 2 took at most 2 rows of every set"
    assert re.findall(rf"^{try_said}.*\n(?:.+\n)+─+\nvanilla/unguided", shown, re.MULTILINE), "above the table"
    (command,) = re.findall(r"the whole run, about .+ on this machine: (amends run .+)", shown)
    assert "--limit" not in command and str(out) not in command
    assert try_said in (out / "report.html").read_text()
    assert len((out / "suites/redteam.jsonl").read_text().splitlines()) == 2
