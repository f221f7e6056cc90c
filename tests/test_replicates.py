"""The same run with several seeds through the real entry point: a directory each, and results over both."""

import json
from pathlib import Path

import pytest

from amends.evaluation.seeds import TEST
from conftest import CONFIGS, TINY, run_amends

SETTINGS = [*TINY, "methods=[vanilla, sft]", "seeds=[3, 4]"]


def test_two_seeds_are_two_runs_and_one_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "both"
    command = ["run", str(CONFIGS / "quickstart.yaml"), *SETTINGS, "--out", str(out)]
    assert run_amends(*command) == 0
    printed = capsys.readouterr().out
    assert str(out / "results.json") in printed
    assert str(out / "seed-4/report.html") in printed
    results = json.loads((out / "results.json").read_text())
    assert (results["seeds"], results["seed"]) == ([3, 4], 3)
    of_seeds = [json.loads((out / f"seed-{seed}/results.json").read_text()) for seed in (3, 4)]
    assert [one["seed"] for one in of_seeds] == [3, 4]
    for place, row in enumerate(results["systems"]):
        assert row["seeds"] == 2
        rates = [one["systems"][place]["harmless_rate"] for one in of_seeds]
        if row["harmless_rate"] is not None and None not in rates and not row["unscored"]:
            assert row["harmless_rate"] == pytest.approx(sum(rates) / 2)
    assert {row["test"] for row in results["comparisons"]} == {TEST}
    first, second = ((out / f"seed-{seed}/sft/samples.jsonl").read_bytes() for seed in (3, 4))
    assert first == second, "what is not random is the same"
    responses = [(out / f"seed-{seed}/sft/unguided.redteam.responses.jsonl").read_bytes() for seed in (3, 4)]
    assert responses[0] != responses[1]
    before = (out / "results.json").read_bytes()
    assert run_amends(*command) == 0
    assert "seed 4" in capsys.readouterr().err
    assert (out / "results.json").read_bytes() == before
    assert run_amends("report", str(out)) == 0
