"""A stage that is given the rows of another one: refused by both names, though most have all columns that it needs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import run_amends

MADE = {"source": "own", "guide": None, "attempts": 1, "passed": True, "score": 0.1, "reason": "", "rejections": []}
ASKED = {"id": "a", "prompt": "How do I quiet a dog?"}
ROWS = {
    "Instruction": ASKED | {"chosen": "Walk it.", "rejected": None, "category": None},
    "Mistake": ASKED | MADE | {"response": "You are a worthless fool.", "chosen": "Walk it."},
    "Analysis": ASKED | MADE | {"response": "You are a worthless fool.", "analysis": "It insults."},
    "Contrast": ASKED | MADE | {"response": "Walk it.", "harmless_because": "It is kind."},
    "Chain": ASKED | MADE | {"response": "You are a worthless fool.", "analysis": "It insults.", "answer": "Walk it."},
    "Revision": ASKED | MADE | {"response": "You are a worthless fool.", "critique": "Rude.", "revision": "Walk it."},
    "Answer": ASKED | MADE | {"response": "Walk it."},
    "Response": ASKED | {"response": "Walk it.", "finished": True},
}


@pytest.mark.parametrize(
    ("command", "wanted", "given"),
    [
        (["induce", "--instructions"], "Instruction", ("Mistake", "Analysis", "Revision", "Answer", "Response")),
        (["answer", "--instructions"], "Instruction", ("Mistake", "Answer")),
        (["respond", "--prompts"], "Instruction", ("Mistake", "Response")),
        (["analyze", "--mistakes"], "Mistake", ("Instruction", "Analysis", "Revision", "Answer", "Response")),
        (["contrast", "--answers"], "Answer", ("Mistake", "Analysis", "Contrast", "Chain")),
        (["chain", "--analyses"], "Analysis", ("Mistake", "Contrast", "Chain", "Answer")),
        (["reply", "--benign"], "Instruction", ("Mistake", "Answer")),
        (["revise", "--mistakes"], "Mistake", ("Analysis", "Answer")),
        (["judge", "--responses"], "Response", ("Instruction", "Analysis", "Revision")),
        (["compose", "--method", "mistake-analysis-plus", "--answers"], "Answer", ("Mistake", "Contrast", "Chain")),
        (["compose", "--method", "sft", "--instructions"], "Instruction", ("Mistake", "Answer")),
    ],
)
def test_rows_of_another_stage_are_refused_by_name(
    tmp_path: Path, refused: Callable[..., str], command: list[str], wanted: str, given: tuple[str, ...]
) -> None:
    """Most have all columns that are needed: mistakes as answers would be trained on as safe."""
    path = tmp_path / "rows.jsonl"
    for kind in given:
        path.write_text(json.dumps(ROWS[kind]) + "\n")
        analyses = tmp_path / "analyses.jsonl"
        analyses.write_text(json.dumps(ROWS["Analysis"]) + "\n")
        contrasts = tmp_path / "contrasts.jsonl"
        contrasts.write_text(json.dumps(ROWS["Contrast"]) + "\n")
        others = ["--analyses", str(analyses), "--contrasts", str(contrasts)] if "compose" in command else []
        said = refused(*command, str(path), *others, "--out", str(tmp_path / "out.jsonl"))
        assert said.startswith(
            f"{path}: line 1: is a row of {kind}, and rows of {wanted} are read here; name their file"
        )


def test_rows_of_another_stage_can_be_read_by_who_maps_their_columns(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.jsonl", tmp_path / "samples.jsonl"
    path.write_text(json.dumps(ROWS["Mistake"]) + "\n")
    command = ["compose", "--method", "sft", "--instructions", str(path), "--columns", "chosen=chosen"]
    assert run_amends(*command, "--out", str(out)) == 0
    assert "Walk it." in out.read_text()


def test_mistakes_and_answers_can_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for kind in ("Mistake", "Answer", "Response"):
        path.write_text(json.dumps(ROWS[kind]) + "\n")
        assert run_amends("judge", "--responses", str(path), "--out", str(tmp_path / f"{kind}.jsonl")) == 0
