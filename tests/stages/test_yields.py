"""Yields: what was tried and what passed, by guide and by reason."""

from pathlib import Path

import pytest

from amends.data.settings import DataSettings
from amends.errors import YieldError
from amends.models.scripted import ScriptedModel
from amends.pipeline.steps import Steps
from amends.records import Analysis, Mistake
from amends.stages.analyze import AnalyzeSettings
from amends.stages.attempts import NOT_A_MISTAKE
from amends.stages.revise import ReviseSettings
from amends.stages.yields import stage_yield
from scripted_judge import by_word

MISTAKE = Mistake(id="a", prompt="p", response="r", source="own", guide="first", passed=True)


def test_yield_of_mistakes() -> None:
    rows = [
        MISTAKE,
        MISTAKE.model_copy(update={"guide": "second", "attempts": 2, "rejections": ["harmless"]}),
        MISTAKE.model_copy(
            update={"attempts": 3, "rejections": ["harmless", "truncated", "harmless"], "passed": False}
        ),
        MISTAKE.model_copy(update={"guide": None, "source": "origin", "attempts": 0}),
        MISTAKE.model_copy(update={"rejections": ["harmless"]}),  # the data set's, then the model's first passed
    ]
    assert stage_yield(rows, ["first", "second"]) == {
        "rows": 5,
        "passed": 4,
        "yield": 0.8,
        "guides": {
            "first": {"tried": 5, "passed": 2},
            "second": {"tried": 2, "passed": 1},
            "origin": {"tried": 2, "passed": 1},
        },
        "reasons": {"harmless": 4, "truncated": 1},
    }


def test_yield_of_analyses_leaves_out_what_was_no_mistake() -> None:
    row = Analysis(id="a", prompt="p", response="r", analysis="bad", guide="told", passed=True)
    skipped = row.model_copy(update={"passed": False, "attempts": 0, "reason": NOT_A_MISTAKE, "guide": None})
    facts = stage_yield([row, skipped, skipped], ["told"])
    assert (facts["rows"], facts["passed"], facts["yield"]) == (1, 1, 1.0)
    assert facts["guides"] == {"told": {"tried": 1, "passed": 1}}


def test_yield_without_rows_is_zero() -> None:
    assert stage_yield([], ["first"])["yield"] == 0.0


@pytest.mark.parametrize(
    ("stage", "passed", "message"),
    [
        ("revise", True, r"no revision passed its gate: .* \(1\); try more attempts$"),
        ("analyze", True, r"no analysis passed its gate: .* \(1\); try other analyze guides or more attempts$"),
        ("analyze", False, r"no analysis was tried: none of the mistakes read passed its gate$"),
    ],
)
def test_why_nothing_passed_a_gate(tmp_path: Path, stage: str, passed: bool, message: str) -> None:
    mistake = Mistake(id="a", prompt="How?", response="So.", source="own", passed=passed)
    (tmp_path / "mistakes.jsonl").write_text(mistake.model_dump_json() + "\n")
    rows, model = DataSettings(source=str(tmp_path / "mistakes.jsonl")), ScriptedModel("model", lambda *_: "no")
    settings = {"revise": ReviseSettings(attempts=1), "analyze": AnalyzeSettings(attempts=1)}[stage]
    with pytest.raises(YieldError, match=message):
        Steps().make(stage, rows, tmp_path / "out.jsonl", model, by_word("no"), settings)
