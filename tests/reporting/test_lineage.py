"""What became of one row of a run: every file that has it, the guides tried, and no harmful text unless asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import amends
from amends.reporting.lineage import Attempt, attempts_of
from conftest import run_amends


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run_amends("why", *arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_training_row_is_followed_from_the_instruction_to_its_samples(
    finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    analysis = next(row for row in rows(finished_run / "analyses.jsonl") if row["passed"])
    name = analysis["id"]
    found = told(capsys, str(finished_run), name, "--full")
    places = {(one["file"], one["id"]): one for one in found["stations"]}
    assert {
        ("instructions.jsonl", name),
        ("mistakes.jsonl", name),
        ("analyses.jsonl", name),
        ("sft/samples.jsonl", f"safe-{name}"),
        ("mistake-analysis/samples.jsonl", f"analysis-{name}"),
    } <= places.keys()
    assert all(one.endswith(name) for _, one in places), "and nothing of other rows"
    made = places["analyses.jsonl", name]
    assert made["texts"]["analysis"] == analysis["analysis"]
    assert [one["rejected"] for one in made["attempts"]] == [*analysis["rejections"], ""]
    assert made["attempts"][-1]["guide"] == analysis["guide"]


def test_every_guide_tried_is_named_with_the_reason(finished_run: Path) -> None:
    guides = json.loads((finished_run / "run.json").read_text())["configuration"]["induce"]["guides"]
    tried = next(row for row in rows(finished_run / "mistakes.jsonl") if row["attempts"] > 1)
    (made,) = (one for one in amends.why(finished_run, tried["id"]).stations if one.file == "mistakes.jsonl")
    assert [one.guide for one in made.attempts] == guides[: tried["attempts"]]
    assert [one.rejected for one in made.attempts][: len(tried["rejections"])] == tried["rejections"]


def test_a_mistake_is_folded_wherever_it_stands(finished_run: Path) -> None:
    name = next(row["id"] for row in rows(finished_run / "analyses.jsonl") if row["passed"])
    mistake = next(row["response"] for row in rows(finished_run / "mistakes.jsonl") if row["id"] == name)
    shown, whole = (str(amends.why(finished_run, name, full=full)) for full in (False, True))
    assert mistake not in shown and f"[folded, {len(mistake)} characters]" in shown and "--full" in shown
    assert whole.count(mistake) >= 3, "of the mistake, of the analysis, in the sample's prompt"
    stations = amends.why(finished_run, name).as_json()["stations"]
    (asked,) = (one for one in stations if one["id"] == f"analysis-{name}")
    assert asked["texts"]["prompt"].startswith("[folded, "), "also where it would be cut before the mistake"


def test_a_row_of_a_suite_has_the_verdicts_of_all_methods(
    finished_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = ("vanilla", "sft", "mistake-analysis")
    verdicts = {
        (method, row["id"]): row["verdict"]
        for method in methods
        for row in rows(finished_run / method / "unguided.redteam.verdicts.jsonl")
    }
    name = next((one for (_, one), verdict in verdicts.items() if verdict == "harmful"), None)
    name = name or next(iter(verdicts))[1]
    found = told(capsys, str(finished_run), name)
    assert found["verdicts"]["redteam, unguided"] == {method: [verdicts[method, name]] for method in methods}
    answers = [one for one in found["stations"] if one["file"].endswith("responses.jsonl")]
    shown = [one for one in answers if "[folded" not in one["texts"]["response"]]
    assert all(one["verdict"] == "harmless" or not one["texts"]["response"] for one in shown)


def test_what_is_not_there_is_refused_with_the_nearest(
    finished_run: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    name = rows(finished_run / "instructions.jsonl")[0]["id"]
    assert f"no set of the run has a row '{name}x'; did you mean " in refused("why", str(finished_run), f"{name}x")
    assert "its first are" in refused("why", str(finished_run), "?")
    assert "has no seed 7; it has one alone" in refused("why", str(finished_run), name, "--seed", "7")
    assert "has no run.json" in refused("why", str(finished_run / "sft"), name)
    (tmp_path / "run.json").write_text('{"configuration": {"suites": 3}}')
    assert "run.json: configuration.suites: " in refused("why", str(tmp_path), name)


def test_of_several_seeds_the_first_is_shown_and_of_variants_one_is_to_be_named(
    finished_run: Path, tmp_path: Path
) -> None:
    content = json.loads((finished_run / "run.json").read_text())
    (tmp_path / "seed-5").symlink_to(finished_run)
    name = rows(finished_run / "instructions.jsonl")[0]["id"]

    def belongs(**changes: Any) -> None:
        (tmp_path / "run.json").write_text(json.dumps(content | {"configuration": content["configuration"] | changes}))

    belongs(seeds=[5, 6])
    assert amends.why(tmp_path, name).directory == amends.why(tmp_path, name, seed=5).directory == tmp_path / "seed-5"
    with pytest.raises(amends.AmendsError, match="has no seed 7; it has 5, 6"):
        amends.why(tmp_path, name, seed=7)
    belongs(seeds=[5, 6], variants={"whole": {}})
    with pytest.raises(amends.AmendsError, match=r"has variants; name the directory of one: .*/whole/seed-5, "):
        amends.why(tmp_path, name)


def test_the_data_s_own_text_is_an_attempt_without_a_guide() -> None:
    assert attempts_of(iter(["plain", "suffix"]), 2, ["not harmful", "truncated"], True) == [
        Attempt("origin", "not harmful"),
        Attempt("plain", "truncated"),
        Attempt("suffix"),
    ]
