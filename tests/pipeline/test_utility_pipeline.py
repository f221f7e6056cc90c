"""Utility through the real entry point: verifiable instructions and divergence from the start."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import run_amends

FORM = ("suites.form.source=bundled:instructions/test", "suites.form.kind=instructions", "suites.form.limit=6")


@pytest.fixture(scope="module")
def content(finished_run: Path, tiny_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of the finished run with a suite of instructions beside the others: all else is kept."""
    directory = tmp_path_factory.mktemp("form") / "run"
    shutil.copytree(finished_run, directory)
    assert run_amends("run", *tiny_settings, *FORM, "--out", str(directory)) == 0
    assert "form" in (directory / "report.html").read_text()
    assert not list(directory.rglob("*form.verdicts.jsonl"))
    return dict(json.loads((directory / "results.json").read_text()))


def test_instructions_are_answered_and_not_judged(content: dict[str, Any]) -> None:
    rows = [row for row in content["systems"] if row["suite"] == "form"]
    assert len(rows) == 6
    for row in rows:
        assert (row["n"], row["harmless_rate"]) == (6, None)
        assert 0 <= row["followed_rate"] <= 1 and row["mean_words"]
        assert sum(one["n"] for one in row["categories"].values()) == 6
    compared = [row for row in content["comparisons"] if row["metric"] == "followed_rate"]
    assert {row["suite"] for row in compared} == {"form"} and len(compared) == 9


def test_what_was_trained_diverges_from_the_start_and_the_start_does_not(content: dict[str, Any]) -> None:
    found = {(row["method"], row["inference"]): row for row in content["systems"] if row["suite"] == "benign"}
    for (method, _), row in found.items():
        assert row["divergence"] >= 0 and (row["divergence"] == 0) == (method == "vanilla")
