"""Several seeds, and variants, through the real entry point: a run directory each, and results over all."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.evaluation.metrics.kinds import TEST, TEST_OF_ONE
from conftest import CONFIGS, run_amends

SEEDS = ["methods=[vanilla, sft]", "seeds=[3, 4]"]


def test_two_seeds_are_two_runs_and_one_result(
    tiny_settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "both"
    command = ["run", *tiny_settings, *SEEDS, "--out", str(out)]
    assert run_amends(*command) == 0
    printed = capsys.readouterr().out
    assert f"Files in {out}:" in printed
    assert "Seeds 3, 4, pooled." in (out / "report.html").read_text()
    results = json.loads((out / "results.json").read_text())
    assert (results["seeds"], results["seed"]) == ([3, 4], 3)
    of_seeds = [json.loads((out / f"seed-{seed}/results.json").read_text()) for seed in (3, 4)]
    assert [one["seed"] for one in of_seeds] == [3, 4]
    for place, row in enumerate(results["systems"]):
        assert row["seeds"] == 2
        rates = [one["systems"][place]["harmless_rate"] for one in of_seeds]
        if row["harmless_rate"] is not None and None not in rates and not row["unscored"]:
            assert row["harmless_rate"] == pytest.approx(sum(rates) / 2)
    assert {row["test"] for row in results["comparisons"]} <= {TEST, TEST_OF_ONE}
    first, second = ((out / f"seed-{seed}/sft/samples.jsonl").read_bytes() for seed in (3, 4))
    assert first != second, "each seed draws training rows of its own"
    responses = [(out / f"seed-{seed}/sft/unguided.redteam.responses.jsonl").read_bytes() for seed in (3, 4)]
    assert responses[0] != responses[1]
    before = (out / "results.json").read_bytes()
    assert run_amends(*command) == 0
    assert "seed 4" in capsys.readouterr().err
    assert (out / "results.json").read_bytes() == before
    assert run_amends("report", str(out)) == 0
    assert str(out / "seed-4/report.html") in capsys.readouterr().out
    assert run_amends("report", str(out), "--markdown") == 0
    table = r"^## \S+/model, seeds 3, 4\n\n\*\*A TRY.*\n\n\| method \| inference \|"
    assert re.search(table, capsys.readouterr().out, re.MULTILINE), "of four prompts"


def test_variants_are_runs_side_by_side_that_share_what_is_equal(
    tiny_settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "three"
    none = "{methods: [mistake-analysis-plus], answer.at_least: 0.99999999, answer.attempts: 1}"
    variants = "variants={whole: {}, half: {compose.safe: 0.5}, sft: {methods: [sft]}}"
    settings = ["methods=[mistake-analysis]", variants, f"variants.none={none}"]
    command = ["run", *tiny_settings, *settings]
    assert run_amends(*command, "--out", str(out)) == 0
    said = capsys.readouterr().err
    assert "variant half" in said
    assert said.count("mistakes: as in whole") == 2, "sft needs none"
    assert said.count("analyses: as in whole") == 2
    assert "variant none has no results: " in said
    assert "no answer passed its gate: not clearly harmless" in said
    results = json.loads((out / "results.json").read_text())
    assert list(dict.fromkeys(row["method"] for row in results["systems"])) == ["whole", "half", "sft"]
    assert {(row["a"], row["b"]) for row in results["comparisons"]} >= {
        ("half/unguided", "whole/unguided"),
        ("sft/guided", "half/guided"),
        ("half/guided", "whole/unguided"),
    }
    assert results["yields"].keys() == {"induce", "analyze"}, "the same for all that have them"
    trained = results["data"]["training"]
    assert trained["half"]["samples"] < trained["whole"]["samples"] > trained["sft"]["samples"]
    for name in ("mistakes.jsonl", "mistakes.jsonl.manifest.json", "analyses.jsonl"):
        assert (out / "half" / name).read_bytes() == (out / "whole" / name).read_bytes()
    assert not (out / "sft/mistakes.jsonl").exists()
    assert "half" in (out / "report.html").read_text()
    assert results["data"]["without_results"].keys() == {"none"}
    before = (out / "results.json").read_bytes()
    capsys.readouterr()
    assert run_amends(*command, "--out", str(out)) == 0
    printed = capsys.readouterr()
    assert "none has no results: " in printed.out
    assert "half has" not in printed.out
    assert (out / "results.json").read_bytes() == before
    again = [line for line in printed.err.splitlines() if "answers" not in line and "results" not in line]
    others = [line for line in again if "finished, skipped" not in line and " at most, " not in line]
    assert all(line.startswith(("variant", "judges")) or re.match(r"\w+: \d+ of \d+ passed", line) for line in others)


def test_what_is_wrong_with_a_variant_is_said_before_the_first_starts(
    refused: Callable[..., str], tmp_path: Path, no_model_loads: None
) -> None:
    command = ["run", str(CONFIGS / "quickstart.yaml"), "--out", str(tmp_path / "out"), "variants.first={}"]
    message = refused(*command, "variants.last={induce.source: origin}")
    assert message.startswith("bundled:redteam/train: no row has `rejected`, so there are no origin mistakes")
    assert "no such directory" in refused(*command, "variants.last={analyze.source: /no/such/model}")
    assert "set train.max_length to " in refused(*command, "variants.last={train.max_length: 100}")
    assert "variants.last: gate: a variant has none of its own" in refused(*command, "variants.last={gate: other}")


def test_a_directory_of_one_run_is_not_taken_for_several(
    finished_run: Path, tiny_settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (finished_run / "results.json").read_bytes()
    assert run_amends("run", *tiny_settings, *SEEDS, "--out", str(finished_run)) == 2
    assert "belongs to another configuration (its seeds differ)" in capsys.readouterr().err
    assert (finished_run / "results.json").read_bytes() == before
