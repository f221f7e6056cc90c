"""Training all weights: a model directory comes out, from which another training goes on."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from amends.models.base import Prompt, Sampling
from amends.models.hf import LocalModel
from amends.records import Message
from conftest import run_amends
from tiny import tiny_model


def write_samples(path: Path, **more: object) -> Path:
    rows = [
        {
            "id": str(number),
            "kind": "safe",
            "prompt": [{"role": "user", "content": f"Name colour {number}."}],
            "completion": [{"role": "assistant", "content": "Blue."}],
            **more,
        }
        for number in range(2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_model_is_trained_whole_and_dpo_goes_on_from_it(tmp_path: Path) -> None:
    samples = write_samples(tmp_path / "samples.jsonl")
    pairs = write_samples(tmp_path / "pairs.jsonl", rejected=[{"role": "assistant", "content": "Go away."}])
    model, told = tiny_model(tmp_path / "tiny"), ["--system-prompt", "Be brief."]
    common = ["--model", str(model), "--full", "--max-steps", "2", "--batch-size", "2", "--learning-rate", "1e-4"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert run_amends("train", "--samples", str(samples), "--out", str(first), *common, *told) == 0
    go_on = ["--trainer", "dpo", "--start", str(first)]
    assert run_amends("train", "--samples", str(pairs), "--out", str(second), *common, *go_on) == 0
    name = "model.embed_tokens.weight"
    before, after, later = (
        load_file(directory / "model.safetensors")[name].float() for directory in (model, first, second)
    )
    assert not torch.equal(before, after), "the first of the two steps warms up, and moves nothing"
    assert 0 < (later - after).abs().max() < 10 * (after - before).abs().max(), "it went on from the first"
    prompt = Prompt((Message(role="user", content="Name a colour."),))
    assert LocalModel(str(first)).render(prompt) == LocalModel(str(model)).render(prompt), "told again where it is used"
    assert LocalModel(str(second)).generate([prompt], Sampling(4, 0), 0)[0].tokens


def test_an_adapter_is_no_model_to_go_on_from(tmp_path: Path, refused: Callable[..., str]) -> None:
    samples = write_samples(tmp_path / "samples.jsonl")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    start = ["--full", "--start", str(tmp_path / "adapter")]
    message = refused("train", "--samples", str(samples), "--out", str(tmp_path / "out"), *start)
    assert "adapter: is an adapter; merge it into its model first" in message
