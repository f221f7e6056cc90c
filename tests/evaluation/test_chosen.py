"""A look at `chosen` before it is trained on: what stops a run, what does not, which rows are read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.errors import GateError
from amends.evaluation.chosen import FEWEST_ROWS, ROWS, look_at_chosen, refuse_harmful
from amends.records import Instruction
from conftest import CONFIGS, TINY, run_amends
from scripted_judge import ScriptedJudge

HARMFUL = "You are a worthless fool, and nobody likes you."
SAFE = "I can't help with insults. Talk to them calmly, or ask a mediator for help."


def by_text(**scores: float | None) -> ScriptedJudge:
    return ScriptedJudge(lambda _, response: scores[response.split()[0]])


def rows(count: int, chosen: Callable[[int], str], rejected: str | None = None) -> list[Instruction]:
    return [
        Instruction(id=str(number), prompt=f"Why {number}?", chosen=chosen(number), rejected=rejected)
        for number in range(count)
    ]


def looks_harmful(count: int, bad: int, score: float, rejected: float | None = None) -> bool:
    """Of `count` rows, where `bad` have a `chosen` with a score; the others are harmless."""
    gate = by_text(bad=score, good=0.8, other=rejected)
    given = rows(count, lambda n: "bad" if n < bad else "good", None if rejected is None else "other")
    return bool(look_at_chosen(given, gate)["looks_harmful"])


@pytest.mark.parametrize(
    ("count", "bad", "score", "rejected", "harmful"),
    [
        (64, 40, 0.1, None, True),
        (64, 64, 0.1, 0.1, True),
        (64, 32, 0.1, None, False),  # half of them
        (64, 57, 0.33, None, False),  # good answers that the bundled gate likes little
        (64, 57, 0.33, 0.4, False),
        (64, 36, 0.4, 0.6, False),  # not clearly worse than `rejected`
        (64, 48, 0.4, 0.6, True),  # two columns swapped
        (64, 64, 0.4, 0.41, False),  # both bad
        (64, 20, 0.4, 0.6, False),
        (5, 5, 0.1, None, True),
        (5, 4, 0.1, None, False),  # too few to say
        (4, 4, 0.1, None, False),
        (4, 4, 0.1, 0.09, False),
        (2, 2, 0.1, 0.11, True),  # few, each clearly harmful and worse than its `rejected`
        (2, 1, 0.1, 0.11, False),
        (1, 1, 0.1, 0.9, False),
        (8, 8, 0.4, 0.9, False),
    ],
)
def test_what_looks_harmful(count: int, bad: int, score: float, rejected: float | None, harmful: bool) -> None:
    assert looks_harmful(count, bad, score, rejected) is harmful


def test_the_sample_is_of_the_whole_file_and_always_the_same() -> None:
    gate = ScriptedJudge(lambda *_: 0.9)
    many = rows(1_000, lambda n: f"Answer {n}.")
    found = look_at_chosen(iter(many), gate)
    assert found["rows"] == len(gate.seen) == ROWS
    numbers = sorted(int(response.split()[1][:-1]) for _, response in gate.seen)
    assert numbers[0] < 100 < 900 < numbers[-1]
    again = ScriptedJudge(lambda *_: 0.9)
    look_at_chosen(reversed(many), again)
    assert sorted(again.seen) == sorted(gate.seen)


def test_nothing_is_read_of_few_rows_or_of_rows_without_an_answer() -> None:
    gate = ScriptedJudge(lambda *_: 0.0)
    assert look_at_chosen(rows(FEWEST_ROWS - 1, lambda _: "bad"), gate)["rows"] == FEWEST_ROWS - 1
    assert look_at_chosen(rows(64, lambda _: "  "), gate)["rows"] == 0
    assert gate.seen == []


def test_what_the_gate_cannot_score_is_neither() -> None:
    found = look_at_chosen(rows(64, lambda n: "bad" if n < 4 else "none"), by_text(bad=0.0, none=None))
    assert (found["unscored"], found["harmful"], found["looks_harmful"]) == (60, 4, "")


def test_the_refusal_names_file_counts_and_ways_on() -> None:
    look = look_at_chosen(rows(64, lambda _: "bad"), by_text(bad=0.1))
    with pytest.raises(GateError, match=r"mine.jsonl: 64 of 64 `chosen` look harmful(.|\n)*--trust-chosen") as caught:
        refuse_harmful({"benign": look}, {"benign": "mine.jsonl"}, "--trust-chosen")
    assert caught.value.exit_code == 1


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    path = tmp_path / "swapped.jsonl"
    made = [
        {"id": str(n), "prompt": f"How do I insult neighbour {n}?", "chosen": HARMFUL, "rejected": SAFE}
        for n in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


@pytest.mark.parametrize("method", ["sft", "mistake-analysis"])
def test_compose_stops_before_it_writes(method: str, swapped: Path, tmp_path: Path) -> None:
    analyses = tmp_path / "analyses.jsonl"
    row = {"id": "0", "prompt": "How do I insult neighbour 0?", "response": HARMFUL, "passed": True}
    analyses.write_text(json.dumps(row | {"analysis": "It is harmful because it could hurt him."}) + "\n")
    out = tmp_path / "out.jsonl"
    command = ["compose", "--method", method, "--instructions", str(swapped), "--out", str(out)]
    command += ["--analyses", str(analyses)] if method != "sft" else []
    assert run_amends(*command) == 1
    assert not out.exists()
    assert not list(tmp_path.glob("out*"))


def test_compose_goes_on_where_chosen_is_trusted_or_safe(swapped: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    command = ["compose", "--method", "sft", "--out", str(out), "--instructions"]
    assert run_amends(*command, str(swapped), "--trust-chosen") == 0
    safe = tmp_path / "safe.jsonl"
    safe.write_text(swapped.read_text().replace('"chosen"', '"x"').replace('"rejected"', '"chosen"'))
    command[4] = str(tmp_path / "other.jsonl")
    assert run_amends(*command, str(safe)) == 0


def test_a_run_stops_before_anything_is_made(swapped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    source = f"instructions.source={swapped}"
    tiny = [one for one in TINY if not one.startswith("instructions.limit")]
    command = ["run", str(CONFIGS / "quickstart.yaml"), *tiny, source, "--out", str(out)]
    for _ in range(2):
        assert run_amends(*command) == 1
        said = capsys.readouterr().err
        assert f"{swapped}: 12 of 12 `chosen` look harmful to the gate" in said
        assert "trust_chosen=true" in said
    assert "a look at `chosen`: finished, skipped" in said, "the gate is asked once"
    assert not (out / "mistakes.jsonl").exists()
    assert json.loads((out / "chosen.json").read_text())["instructions"]["clearly_harmful"] == 12
