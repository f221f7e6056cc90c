"""What methods cost: of one run, of seeds, of variants, and of steps that were copied."""

from pathlib import Path
from typing import Any

import pytest

from amends.errors import StoreError
from amends.reporting.costs import Cost, costs
from amends.storage.files import write_json

NOT_MADE = ("analysis", "contrast", "verdict", "reply", "chain")


def run_in(directory: Path, timings: dict[str, float], methods: list[str]) -> None:
    configuration: dict[str, Any] = {"configuration": {"methods": methods}}
    write_json(directory / "run.json", configuration)
    write_json(directory / "timings.json", timings)


def test_a_run_counts_what_a_method_is_made_of(tmp_path: Path) -> None:
    timings = {"mistakes": 4.0, "analyses": 3.0, "sft: training": 10.0, "mistake-analysis: training": 20.0}
    run_in(tmp_path, timings, ["sft", "mistake-analysis", "dpo"])
    assert costs(tmp_path, ["sft", "mistake-analysis", "dpo"]) == {
        "sft": Cost(0.0, 10.0),
        "mistake-analysis": Cost(7.0, 20.0),
        "dpo": Cost(4.0, None),
    }


def test_seeds_are_averaged(tmp_path: Path) -> None:
    """Those of the configuration, and of these those that were not interrupted."""
    write_json(tmp_path / "run.json", {"configuration": {"seeds": [0, 1, 2]}})
    for seed, seconds in ((0, 10.0), (1, 20.0), (3, 70.0)):
        run_in(tmp_path / f"seed-{seed}", {"sft: training": seconds}, ["sft"])
    run_in(tmp_path / "seed-2", {}, ["sft"])
    assert costs(tmp_path, ["sft"]) == {"sft": Cost(0.0, 15.0)}


def test_a_variant_has_its_own_and_what_it_copied_cost_nothing(tmp_path: Path) -> None:
    run_in(
        tmp_path / "whole",
        {"mistakes": 1.0, "analyses": 1.0, "mistake-analysis: training": 5.0},
        ["mistake-analysis"],
    )
    run_in(tmp_path / "half", {"mistake-analysis: training": 6.0}, ["mistake-analysis", "sft"])
    assert costs(tmp_path, ["whole", "half.mistake-analysis"]) == {
        "whole": Cost(2.0, 5.0),
        "half.mistake-analysis": Cost(None, 6.0),
    }


def test_what_a_share_of_zero_made_nobody_make_is_not_missed(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "variant"):
        run_in(directory, {"answers": 2.0, "mistake-analysis-plus: training": 3.0}, ["mistake-analysis-plus"])
        run = {"methods": ["mistake-analysis-plus"], "compose": dict.fromkeys(NOT_MADE, 0.0)}
        write_json(directory / "run.json", {"configuration": run})
    assert list(costs(tmp_path, ["mistake-analysis-plus", "variant"]).values()) == [Cost(2.0, 3.0)] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", []),
        ("run.json", {"configuration": 3}),
        ("run.json", {"configuration": {"seeds": 3}}),
        ("run.json", {"configuration": {"compose": 3}}),
        ("run.json", {"configuration": {"methods": {"sft": 1}}}),
        ("timings.json", []),
        ("timings.json", {"sft: training": "long"}),
    ],
)
def test_what_is_damaged_is_named(tmp_path: Path, name: str, content: Any) -> None:
    run_in(tmp_path, {"sft: training": 1.0}, ["sft"])
    write_json(tmp_path / name, content)
    with pytest.raises(StoreError, match=rf"{name}: .*; run the command that writes it again"):
        costs(tmp_path, ["sft"])


def test_a_variant_without_methods_has_no_costs(tmp_path: Path) -> None:
    write_json(tmp_path / "half/run.json", {"configuration": {}})
    write_json(tmp_path / "half/timings.json", {"sft: training": 1.0})
    assert costs(tmp_path, ["half"]) == {}


def test_without_timings_nothing_is_said(tmp_path: Path) -> None:
    assert costs(tmp_path, ["sft"]) == {}
