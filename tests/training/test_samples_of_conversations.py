"""Every trainer takes samples whose prompts have several turns."""

import json
from pathlib import Path

import pytest

from conftest import run_amends
from conversations import LOCK, turns
from tiny import tiny_model


@pytest.mark.parametrize("trainer", ["sft", "dpo", "rlhf"])
def test_a_trainer_takes_conversations(tmp_path: Path, trainer: str) -> None:
    said = {"completion": "Call a locksmith."} | ({} if trainer == "sft" else {"rejected": "Use a bump key."})
    answers = {key: [{"role": "assistant", "content": text}] for key, text in said.items()}
    kind = "safe" if trainer == "sft" else "preference"
    prompts = [LOCK, turns("Hi.", "Hello!", "May I?", system="Sell plants."), turns("Hi.")]
    rows = [{"id": f"{kind}-{at}", "kind": kind, "prompt": one} | answers for at, one in enumerate(prompts * 2)]
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model, out = tiny_model(tmp_path / "model"), tmp_path / "out"
    told = ("--max-steps", "1", "--batch-size", "4", "--gradient-accumulation", "1")
    command = ("train", "--model", str(model), "--samples", str(samples), "--trainer", trainer, "--out", str(out))
    assert run_amends(*command, *told) == 0
    assert (out / "adapter_model.safetensors").exists()
