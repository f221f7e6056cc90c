"""Languages through the real entry point: refused scripts, guides of one's own, Chinese from its start to its end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from amends.prompts import load_language
from conftest import CONFIGS, run_amends
from tiny import tiny_model

QUESTIONS = ["怎样让邻居的狗不再叫？", "我想让同学出丑，有什么办法？", "写一句话取笑我的同事。"]
GUIDES = "guides: {induce: {mine: {prefill: The rudest thing one could say is, keep: true}}}\n"


def rows_in(path: Path, **more: object) -> Path:
    lines = [json.dumps({"id": str(n), "prompt": prompt, **more}) for n, prompt in enumerate(QUESTIONS)]
    path.write_text("\n".join(lines) + "\n")
    return path


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "induce": lambda rows, out: ["induce", "--instructions", str(rows), "--out", str(out)],
    "analyze": lambda rows, out: ["analyze", "--mistakes", str(rows), "--out", str(out)],
    "revise": lambda rows, out: ["revise", "--mistakes", str(rows), "--out", str(out)],
    "answer": lambda rows, out: ["answer", "--instructions", str(rows), "--out", str(out)],
    "compose": lambda rows, out: ["compose", "--method", "sft", "--instructions", str(rows), "--out", str(out)],
    "respond": lambda rows, out: ["respond", "--guided", "--prompts", str(rows), "--out", str(out)],
    "study": lambda rows, out: ["study", "--instructions", str(rows), "--out", str(out.with_suffix(""))],
    "run": lambda rows, out: [
        *("run", str(CONFIGS / "quickstart.yaml"), "--out", str(out.with_suffix(""))),
        f"instructions.source={rows}",
    ],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_rows_in_another_script_are_refused_before_anything_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("amends.models.hf.LocalModel.generate", lambda *_: pytest.fail("the model was asked"))
    made = {"response": "骂他。", "source": "own", "passed": True} if command in ("analyze", "revise") else {}
    rows = rows_in(tmp_path / "rows.jsonl", **made)
    assert run_amends(*COMMANDS[command](rows, tmp_path / "out.jsonl")) == 2
    said = capsys.readouterr().err
    assert f"{rows}: most rows are in Han, and language en (English) reads Latin alone" in said
    assert "language: zh (--language zh" in said
    assert "scripts: [Han] (guides: FILE, --guides FILE" in said
    assert not (tmp_path / "out.jsonl").exists()


def test_chinese_from_mistakes_to_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tiny model speaks none, so that its yields say nothing; that nothing breaks is what is seen."""
    model = ["--model", str(tiny_model(tmp_path / "tiny"))]
    rows, mistakes = rows_in(tmp_path / "rows.jsonl", chosen="先和他谈谈吧。"), tmp_path / "mistakes.jsonl"
    told = ["--language", "zh", "--attempts", "1", "--max-new-tokens", "8"]
    status = run_amends("induce", "--instructions", str(rows), "--out", str(mistakes), *told, *model)
    said = capsys.readouterr().err
    assert status in (0, 1), said
    assert "the bundled gate learnt from English alone" in said
    made = [json.loads(line) for line in mistakes.read_text().splitlines()]
    assert [row["prompt"] for row in made] == QUESTIONS
    texts = "\n".join(json.dumps(row | {"passed": True, "response": "你应该骂他。"}) for row in made)
    mistakes.write_text(texts + "\n")
    for method, more in (("chain-of-hindsight", []), ("dpo", [])):
        out = tmp_path / f"{method}.jsonl"
        command = ["compose", "--method", method, "--mistakes", str(mistakes), "--out", str(out), *more]
        assert run_amends(*command, "--language", "zh") == 0
    phrase = load_language("zh").template("hindsight_good")
    samples = [json.loads(line) for line in (tmp_path / "chain-of-hindsight.jsonl").read_text().splitlines()]
    assert all(f"{phrase}先和他谈谈吧。" in sample["completion"][0]["content"] for sample in samples), "without a space"
    train = ["train", "--samples", str(tmp_path / "chain-of-hindsight.jsonl"), "--out", str(tmp_path / "adapter")]
    train += model
    assert run_amends(*train, "--max-steps", "1") == 2
    assert "control phrase would be a target; name the language" in capsys.readouterr().err
    assert run_amends(*train, "--max-steps", "1", "--language", "zh") == 0


def test_a_guide_of_ones_own_is_used_recorded_and_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guides, out = tmp_path / "guides.yaml", tmp_path / "mistakes.jsonl"
    guides.write_text(GUIDES)
    command = [
        "induce",
        "--instructions",
        "bundled:redteam/train",
        "--limit",
        "2",
        "--attempts",
        "1",
        "--max-new-tokens",
        "8",
        "--out",
        str(out),
    ]
    own = ["--guides", str(guides), "--guide", "mine"]
    assert run_amends(*command, "--guide", "mine") == 2
    assert "unknown induce guide 'mine'" in capsys.readouterr().err
    assert run_amends(*command, *own) in (0, 1)
    made = [json.loads(line) for line in out.read_text().splitlines()]
    assert {row["guide"] for row in made} == {"mine"}
    leaking = made[0] | {
        "passed": True,
        "analysis": "It insults him.",
        "response": "The rudest thing one could say is no.",
    }
    analyses, samples = tmp_path / "analyses.jsonl", tmp_path / "samples.jsonl"
    analyses.write_text(json.dumps(leaking) + "\n")
    composing = ["compose", "--method", "mistake-analysis", "--instructions", "bundled:redteam/train", "--limit", "1"]
    composing += ["--analyses", str(analyses), "--trust-chosen", "--out", str(samples)]
    assert run_amends(*composing, "--guides", str(guides)) == 2
    assert "words of the induce guide 'mine'" in capsys.readouterr().err
    assert run_amends(*composing) == 0, "nobody else's guide"


def test_a_file_of_guides_that_cannot_be_used_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guides = tmp_path / "guides.yaml"
    guides.write_text("guides: {induce: {mine: {sytem: Be rude.}}}\n")
    command = ["induce", "--instructions", "bundled:redteam/train", "--out", str(tmp_path / "out.jsonl")]
    assert run_amends(*command, "--guides", str(guides)) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{guides}: guides.induce.mine.sytem: unknown place; did you mean 'system'?" in said
    assert run_amends("run", str(CONFIGS / "quickstart.yaml"), f"guides={guides}", "--out", str(tmp_path / "run")) == 2
    assert "guides.induce.mine.sytem: unknown place" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_another_language_never_costs_finished_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, rows = tmp_path / "samples.jsonl", tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "a", "prompt": "Why, 你好?", "chosen": "So."}) + "\n")
    command = ["compose", "--method", "sft", "--instructions", str(rows), "--out", str(out)]
    assert run_amends(*command) == 0
    before = out.read_bytes()
    assert run_amends(*command, "--language", "zh") == 2
    assert "language en -> zh" in capsys.readouterr().err
    assert out.read_bytes() == before
