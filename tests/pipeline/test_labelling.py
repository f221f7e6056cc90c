"""Labels of a run's answers: blind, drawn alike of all systems, read strictly, and what they correct."""

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.errors import InputError
from amends.pipeline.correcting import correct_run
from amends.pipeline.labelling import export_labels, read_labels, reshuffle_labels
from conftest import run_amends

METHODS, PROMPTS = ("vanilla", "sft"), 120
PRIMARY = {"a": "vanilla", "b": "sft", "suite": "redteam", "inference": "unguided"}


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two systems; `good` in an answer is the truth. The judge calls 60% of sft's bad answers good, too."""
    directory, chance = tmp_path / "run", random.Random(3)
    suites = {"redteam": {"kind": "red-team"}, "fine": {"kind": "over-refusal"}}
    configuration = {"methods": METHODS, "seeds": [], "respond": {"inference": ["unguided"]}, "suites": suites}
    write(directory / "run.json", [{"configuration": configuration}])
    for method in METHODS:
        responses, verdicts = [], []
        for number in range(PROMPTS):
            good = number % 10 == 0 or chance.random() < (0.5 if method == "sft" else 0.4)
            kind = good or (method == "sft" and chance.random() < 0.6)
            text = "The same words of many." if number % 10 == 0 else f"{method} {'good' if good else 'bad'} {number}"
            responses.append({"id": f"p{number}", "prompt": f"How {number}?", "response": text, "finished": True})
            score = 0.9 if kind else 0.1
            verdicts.append({"id": f"p{number}", "verdict": "harmless" if kind else "harmful", "score": score})
        write(directory / method / "unguided.redteam.responses.jsonl", responses)
        write(directory / method / "unguided.redteam.verdicts.jsonl", verdicts)
    return directory


def labelled(path: Path, out: Path, flips: int = 0) -> Path:
    rows = lines(path)
    for number, row in enumerate(rows):
        good = "good" in row["response"] or "same" in row["response"]
        row["label"] = "harmless" if good != (number < flips) else "harmful"
    write(out, [dict(row) for row in rows])
    return out


def test_rows_are_blind_shuffled_and_of_all_systems_alike(run: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "labels.jsonl", tmp_path / "other.jsonl"
    assert export_labels(run, 60, out, 0) == 60
    rows = lines(out)
    assert {frozenset(row) for row in rows} == {frozenset(("id", "prompt", "response", "label"))}
    assert all(row["label"] == "" for row in rows)
    of_system = [row["response"].split()[0] for row in rows]
    counts = Counter(of_system)
    assert abs(counts["sft"] - counts["vanilla"]) <= counts["The"] + 1
    assert of_system != sorted(of_system)
    assert export_labels(run, 60, other, 1) == 60
    assert {row["response"] for row in lines(other)} != {row["response"] for row in rows}
    assert export_labels(run, 1000, tmp_path / "all.jsonl", 0) == 2 * PROMPTS - 12, "equal answers are asked once"


def test_a_second_reading_has_the_same_answers_in_another_order_without_labels(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "labels.jsonl", tmp_path / "second.jsonl"
    export_labels(run, 40, first, 0)
    reshuffle_labels(labelled(first, tmp_path / "filled.jsonl"), second)
    ids = [[row["id"] for row in lines(path)] for path in (first, second)]
    assert ids[0] != ids[1] and sorted(ids[0]) == sorted(ids[1])
    assert all(row["label"] == "" for row in lines(second))


def test_labels_correct_what_the_judge_gives_one_system(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    export_labels(run, 120, out, 0)
    found = correct_run(run, labelled(out, tmp_path / "filled.jsonl"))
    sft, vanilla = found.systems
    truth = sum(
        "good" in row["response"] or "same" in row["response"]
        for row in lines(run / "sft/unguided.redteam.responses.jsonl")
    )
    assert (sft.system, vanilla.system) == ("sft/unguided", "vanilla/unguided")
    low, high = sft.corrected_ci
    assert low <= truth / PROMPTS <= high
    assert abs(sft.corrected - truth / PROMPTS) < abs(sft.judged - truth / PROMPTS)
    (difference,) = found.comparisons
    assert difference.corrected < difference.judged, "the judge is kinder to sft"
    assert difference.corrected == pytest.approx(sft.corrected - vanilla.corrected, abs=2e-4)


def test_the_primary_difference_stands_as_it_is_and_all_others_are_corrected(run: Path, tmp_path: Path) -> None:
    """A third system answers as sft does: of three pairs one is primary, named as the run has it."""
    shutil.copytree(run / "sft", run / "third")
    for name in ("responses", "verdicts"):
        path = run / f"third/unguided.redteam.{name}.jsonl"
        path.write_text(path.read_text().replace("sft ", "third "))
    (content,) = lines(run / "run.json")
    configuration: dict[str, object] = dict(content["configuration"])  # type: ignore[arg-type]
    write(run / "run.json", [{"configuration": configuration | {"methods": [*METHODS, "third"], "primary": PRIMARY}}])
    out = tmp_path / "labels.jsonl"
    export_labels(run, 150, out, 0)
    primary, *others = correct_run(run, labelled(out, tmp_path / "filled.jsonl")).comparisons
    assert (primary.a, primary.b, primary.primary) == ("vanilla/unguided", "sft/unguided", True)
    assert primary.p_holm is None and 0 <= primary.p_value <= 1
    pairs = {(row.a, row.b) for row in others}
    assert pairs == {("third/unguided", "vanilla/unguided"), ("third/unguided", "sft/unguided")}
    low, high = sorted(others, key=lambda row: row.p_value)
    assert low.p_holm == pytest.approx(min(1.0, 2 * low.p_value), abs=2e-4)
    assert high.p_holm >= high.p_value
    for row in (primary, *others):
        assert row.detectable > (row.corrected_ci[1] - row.corrected_ci[0]) / 2


def test_answers_drawn_for_another_system_are_no_random_ones_of_this(run: Path, tmp_path: Path) -> None:
    """Of 30 answers of each some are the words that both gave: the other one's draws of them do not count."""
    out = tmp_path / "labels.jsonl"
    export_labels(run, 60, out, 0)
    found = correct_run(run, labelled(out, tmp_path / "filled.jsonl"))
    assert all(28 <= row.labelled <= 34 for row in found.systems)
    shared = [row for row in lines(out) if "same" in row["response"]]
    alone = tmp_path / "alone.jsonl"
    write(alone, [row | {"id": f"elsewhere {row['id']}"} for row in lines(tmp_path / "filled.jsonl")])
    everything = correct_run(run, alone).systems
    assert len(shared) >= 2
    assert sum(row.labelled for row in everything) > sum(row.labelled for row in found.systems)


def test_two_readings_agree_as_far_as_they_do_and_a_quarrel_counts_half(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    export_labels(run, 240, out, 0)
    first, second = labelled(out, tmp_path / "a.jsonl"), labelled(out, tmp_path / "b.jsonl", flips=24)
    found = correct_run(run, first, second)
    assert found.agreement.rows == 228
    assert found.agreement.equal == pytest.approx(1 - 24 / 228, abs=1e-4)
    assert 0.6 < found.agreement.kappa < 0.9


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "1", "prompt": "p", "response": "r", "label": "fine"}, "line 1: label 'fine': write harmless, harmful"),
        ({"id": "1", "prompt": "p", "response": "r", "label": ""}, "no row has a label"),
        ({"id": "1", "prompt": "p", "label": "harmful"}, "line 1: needs id, prompt and response"),
        (
            {"id": "1", "prompt": "p \ud83d", "response": "r", "label": "harmful"},
            "line 1: column 'prompt' has half a s",
        ),
    ],
)
def test_what_is_no_label_is_refused(tmp_path: Path, row: dict[str, object], said: str) -> None:
    write(tmp_path / "labels.jsonl", [row])
    with pytest.raises(InputError, match=said):
        read_labels(tmp_path / "labels.jsonl")


def test_the_commands(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    out = tmp_path / "labels.jsonl"
    assert run_amends("label", str(run), "--rows", "80", "--out", str(out)) == 0
    filled = labelled(out, tmp_path / "filled.jsonl")
    assert run_amends("correct", str(run), "--labels", str(filled), "--second", str(filled)) == 0
    printed = capsys.readouterr().out
    assert (
        "corrected %" in printed
        and "found from" in printed
        and "sft/unguided - vanilla/unguided" in printed
        and "kappa 1.00" in printed
    )
    assert "exists, and would be replaced" in refused("label", str(run), "--out", str(out))
    assert "is no run directory" in refused("label", str(tmp_path), "--out", str(tmp_path / "new.jsonl"))
    other = tmp_path / "other.jsonl"
    write(other, [{"id": "0-1", "prompt": "p", "response": "r", "label": "harmful"}])
    assert "none of its answers is in" in refused("correct", str(run), "--labels", str(other))


def test_what_labels_say_stays_in_the_report_of_these_results(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json nothing is written; of other results, or a damaged file, nothing is shown in silence."""
    run, out, filled = tmp_path / "run", tmp_path / "labels.jsonl", tmp_path / "filled.jsonl"
    shutil.copytree(finished_run, run)
    before = (run / "report.html").read_bytes()
    assert run_amends("label", str(run), "--rows", "40", "--out", str(out)) == 0
    write(filled, [row | {"label": ("harmless", "harmful")[place % 2]} for place, row in enumerate(lines(out))])
    assert run_amends("correct", str(run), "--labels", str(filled), "--json") == 0
    assert not (run / "corrected.json").exists() and (run / "report.html").read_bytes() == before
    assert run_amends("correct", str(run), "--labels", str(filled)) == 0
    printed = capsys.readouterr().out
    assert "Corrected by" in (run / "report.html").read_text() and "Corrected by" in printed
    assert run_amends("report", str(run)) == 0
    assert "Corrected differences" in capsys.readouterr().out

    kept = (run / "corrected.json").read_text()
    (run / "corrected.json").write_text(kept[:-40])
    assert run_amends("report", str(run)) == 2
    assert f"{run / 'corrected.json'}: not readable as JSON" in capsys.readouterr().err
    other = json.loads(kept) | {"results": "0" * 64}
    (run / "corrected.json").write_text(json.dumps(other))
    assert run_amends("report", str(run)) == 0
    assert "Corrected" not in capsys.readouterr().out
    assert (run / "report.html").read_bytes() == before
