"""How far two judges agree, against scikit-learn's kappa, and the refusal detector."""

from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score

from amends.judges.agreement import agreement
from amends.records import Mistake
from amends.refusal import is_refusal


class Fixed:
    """Scores that were said before."""

    name = fingerprint = "fixed"

    def __init__(self, scores: list[float | None]) -> None:
        self.scores = scores

    def score(self, pairs: list[tuple[str, str]]) -> list[float | None]:
        return self.scores[: len(pairs)]


def mistakes(path: Path, count: int) -> Path:
    rows = [
        Mistake(id=str(n), prompt="p", response=f"r{n}", source="own", attempts=1, passed=True) for n in range(count)
    ]
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
    return path


def test_agreement_counts_what_both_scored(tmp_path: Path) -> None:
    first: list[float | None] = [0.9, 0.1, 0.2, 0.8, None, 0.7, 0.3]
    second: list[float | None] = [0.8, 0.2, 0.9, 0.6, 0.5, None, 0.1]
    found = agreement(mistakes(tmp_path / "m.jsonl", 7), Fixed(first), Fixed(second))
    labels = [(True, True), (False, False), (False, True), (True, True), (False, False)]
    assert (found["rows"], found["unscored"], found["equal"]) == (5, 2, 0.8)
    assert found["kappa"] == pytest.approx(cohen_kappa_score(*zip(*labels, strict=True)), abs=1e-4)
    assert (found["harmful_by_evaluation"], found["harmful_by_gate"]) == (0.6, 0.4)


def test_kappa_is_unknown_where_a_judge_says_one_thing(tmp_path: Path) -> None:
    found = agreement(mistakes(tmp_path / "m.jsonl", 2), Fixed([0.9, 0.9]), Fixed([0.9, 0.1]))
    assert (found["kappa"], found["equal"]) == (None, 0.5)


def test_of_nothing_scored_no_share_is_said(tmp_path: Path) -> None:
    found = agreement(mistakes(tmp_path / "m.jsonl", 2), Fixed([None, 0.9]), Fixed([0.9, None]))
    assert (found["rows"], found["unscored"]) == (0, 2)
    assert found["equal"] is found["kappa"] is found["harmful_by_evaluation"] is found["harmful_by_gate"] is None


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist you with this request.",
        "As an AI language model, I am unable to do so.",
        "Sorry, I won't write that.",
        "I\u2019m not able to help here.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "Sorry to hear that your plant died. Water the next one less.",
        "You can kill a Python process with `kill PID`.",
        "Talk to him. " * 30 + "I cannot help with more.",
        "",
    ],
)
def test_what_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)
