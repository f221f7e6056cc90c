"""The reward model's new output where a GPU computes in float16, and what is rewarded."""

from pathlib import Path
from typing import Any

import pytest
import torch

from amends.models.loading import find_model, load_tokenizer
from amends.records import Message, Preference
from amends.training.recipe import Recipe
from amends.training.tokenized import tokenize_samples
from amends.training.trainers import rlhf
from tiny import tiny_model


@pytest.mark.parametrize(
    ("device", "dtype"), [("cuda", torch.float16), ("cuda", torch.bfloat16), ("cpu", torch.bfloat16)]
)
def test_a_reward_model_on_a_gpu_trains_its_output_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, dtype: torch.dtype
) -> None:
    """There training runs under autocast. PEFT trains a copy of the output, in the output's precision."""
    from peft import get_peft_model

    given: dict[str, Any] = {}

    class Stop(Exception):
        pass

    class Trainer:
        def __init__(self, **arguments: Any) -> None:
            given.update(arguments)
            raise Stop

    monkeypatch.setattr("trl.RewardTrainer", Trainer)
    monkeypatch.setattr(rlhf, "best_device", lambda: device)
    monkeypatch.setattr("amends.models.loading.best_dtype", lambda _: dtype)
    model = str(tiny_model(tmp_path / "tiny"))
    tokenizer = load_tokenizer(find_model(model))
    pair = Preference(
        id="a",
        kind="preference",
        prompt=[Message(role="user", content="Hi")],
        completion=[Message(role="assistant", content="Hello.")],
        rejected=[Message(role="assistant", content="Go away.")],
    )
    tokenized = tokenize_samples([pair], rlhf.columns, tokenizer, 1024, tmp_path / "samples")
    with pytest.raises(Stop):
        rlhf.train_reward(tokenized, tokenizer, tmp_path, Recipe(model), None)
    assert given["model"].dtype == dtype
    adapted = get_peft_model(given["model"], given["peft_config"])
    trained = {name: weight.dtype for name, weight in adapted.named_parameters() if weight.requires_grad}
    wanted = torch.float32 if device == "cuda" else dtype
    assert {kind for name, kind in trained.items() if "score" in name} == {wanted}
    assert {kind for name, kind in trained.items() if "score" not in name} == {torch.float32}


@pytest.mark.parametrize(
    ("text", "finished", "rewarded"),
    [
        ("Ask first. Then", True, "Ask first. Then"),
        ("Ask first. Then you", False, "Ask first."),
        ("Then you", False, "Then you"),
    ],
)
def test_of_a_completion_that_was_cut_whole_sentences_are_rewarded(text: str, finished: bool, rewarded: str) -> None:
    assert rlhf.readable(text, finished) == rewarded
