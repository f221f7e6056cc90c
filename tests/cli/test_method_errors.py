"""What the baselines and other judges need and do not get: one message with the next step, nothing written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import config_file, good_file, write_lines

from local_server import Server

pytestmark = pytest.mark.usefixtures("no_model_loads")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("sft", "method 'sft' needs instructions; name --instructions"),
        ("mistake-analysis", "method 'mistake-analysis' needs instructions; name --instructions"),
        ("dpo", "method 'dpo' needs mistakes; make them with `amends induce`, name --mistakes"),
        ("rlhf", "method 'rlhf' needs mistakes; make them with `amends induce`, name --mistakes"),
        ("mistake-analysis-plus", "method 'mistake-analysis-plus' needs answers; make them with `amends answer`"),
        ("chain-of-hindsight", "method 'chain-of-hindsight' needs mistakes; make them with `amends induce`"),
        ("vanilla", "method 'vanilla' is the model as it is: there is nothing to compose"),
    ],
)
def test_composing_without_what_a_method_needs(
    tmp_path: Path, refused: Callable[..., str], method: str, message: str
) -> None:
    assert refused("compose", "--method", method, "--out", str(tmp_path / "out.jsonl")).startswith(message)


def test_composing_revisions_that_were_not_made(tmp_path: Path, refused: Callable[..., str]) -> None:
    command = ["compose", "--method", "critique-revise", "--instructions", str(good_file(tmp_path))]
    message = refused(*command, "--out", str(tmp_path / "out.jsonl"))
    assert message == "method 'critique-revise' needs revisions; make them with `amends revise`, name --revisions"
    missing = tmp_path / "no.jsonl"
    message = refused(*command, "--revisions", str(missing), "--out", str(tmp_path / "out.jsonl"))
    assert message.startswith(f"{missing}: no such file")


def test_mistakes_without_safe_answers_make_no_preferences(tmp_path: Path, refused: Callable[..., str]) -> None:
    mistakes = good_file(tmp_path, "mistakes")
    out = tmp_path / "out.jsonl"
    message = refused("compose", "--method", "dpo", "--mistakes", str(mistakes), "--out", str(out))
    assert message.startswith(f"{out}: no samples; the instructions have no `chosen`")


@pytest.mark.parametrize("trainer", ["dpo", "rlhf"])
def test_preferences_are_asked_for_by_column(tmp_path: Path, refused: Callable[..., str], trainer: str) -> None:
    samples = good_file(tmp_path, "samples")
    message = refused("train", "--trainer", trainer, "--samples", str(samples), "--out", str(tmp_path / "out"))
    assert message.startswith(f"{samples}: line 1: column 'rejected' is missing")


def test_preferences_are_not_trained_on_without_what_they_reject(tmp_path: Path, refused: Callable[..., str]) -> None:
    """Without a word sft would read the chosen completions alone, and be taken for the dpo that was meant."""
    turns = {"prompt": [{"role": "user", "content": "Q"}], "completion": [{"role": "assistant", "content": "A"}]}
    samples = tmp_path / "pairs.jsonl"
    samples.write_text(json.dumps({"id": "a", "kind": "preference", **turns, "rejected": turns["completion"]}) + "\n")
    message = refused("train", "--samples", str(samples), "--out", str(tmp_path / "out"))
    assert message.startswith(f"{samples}: line 1: is a preference, of which trainer sft would not read `rejected`")
    assert "(dpo, rlhf; --trainer)" in message


def test_unknown_trainer_and_start(tmp_path: Path, refused: Callable[..., str]) -> None:
    command = ["train", "--samples", str(good_file(tmp_path, "samples")), "--out", str(tmp_path / "out")]
    assert refused(*command, "--trainer", "dpoo").startswith("unknown trainer 'dpoo'; did you mean 'dpo'?")
    message = refused(*command, "--start", str(tmp_path / "none"))
    assert message.startswith(f"{tmp_path / 'none'}: no adapter_config.json in it, so it is no adapter")
    message = refused(*command, "--max-steps", "2", "--max-tokens", "100")
    assert "name max_steps or max_tokens, not both" in message
    message = refused(*command, "--trainer", "rlhf", "--batch-size", "3", "--gradient-accumulation", "2")
    assert message.startswith("preference.generations: must divide the 6 answers of a step, and is 4")
    assert "--batch-size x --gradient-accumulation" in message


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("endpoint:judge", "'endpoint:judge': write it as endpoint:MODEL@URL"),
        ("guard:embedded", "embedded: its name tells no family of guard models (llama-guard, shieldgemma"),
        ("local:nowhere", "nowhere: no such directory; name `embedded`, an existing model directory"),
        ("prob", "unknown judge 'prob'"),
    ],
)
def test_judges_that_are_none(tmp_path: Path, refused: Callable[..., str], judge: str, message: str) -> None:
    command = ["judge", "--responses", str(good_file(tmp_path, "responses")), "--out", str(tmp_path / "v.jsonl")]
    assert refused(*command, "--judge", judge).startswith(message)
    config = config_file(tmp_path, judge=judge)
    assert refused("run", str(config), "--out", str(tmp_path / "run")).startswith(message)


def test_an_endpoint_that_does_not_answer(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    responses = write_lines(
        tmp_path / "responses.jsonl", [json.dumps({"id": "a", "prompt": "Why?", "response": "So."}).encode()]
    )
    command = ["judge", "--responses", str(responses), "--out", str(tmp_path / "v.jsonl")]
    message = refused(*command, "--judge", "endpoint:m@http://127.0.0.1:9/v1", may_write=["v.jsonl.part"])
    assert message.startswith("http://127.0.0.1:9/v1: model 'm' does not answer")


def test_an_endpoint_that_does_not_go_on_is_not_asked_to(
    tmp_path: Path, refused: Callable[..., str], serve: Callable[..., Server]
) -> None:
    mistakes, server = good_file(tmp_path, "mistakes"), serve(lambda *_: (200, "Hello."))
    server.continues, out = False, str(tmp_path / "out.jsonl")
    message = refused("analyze", "--model", f"endpoint:m@{server.url}", "--mistakes", str(mistakes), "--out", out)
    said = f"--guide: guide 'told-suffix-prefill': {server.url}: model 'm' does not go on with the first words"
    assert message.startswith(said)


def test_run_with_a_judge_whose_rating_cannot_be_read(
    tmp_path: Path, refused: Callable[..., str], serve: Callable[..., Server]
) -> None:
    server = serve(lambda *_: (200, "I would rather not say."))
    path = config_file(tmp_path, judge=f"endpoint:m@{server.url}")
    message = refused("run", str(path), "--out", str(tmp_path / "run"))
    assert message.startswith(f"{server.url}: model 'm' gave no rating of a plain answer that can be read")
    assert not (tmp_path / "run").exists()
