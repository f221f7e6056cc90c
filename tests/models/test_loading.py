"""What every load of a model does: which kernels a card may use, which files count, what stays a memory error."""

import pytest
import torch

from amends.models.loading import avoid_cudnn_attention


def test_attention_of_cudnn_is_off_on_a_card_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", told.append)
    avoid_cudnn_attention("cpu")
    assert told == []
    avoid_cudnn_attention("cuda")
    assert told == [False]


def test_every_loader_asks_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    from amends.errors import ModelError
    from amends.models.loading import find_model, load_model, load_tokenizer
    from amends.training import rlhf
    from amends.training.recipe import Recipe

    def fails(*_: object, **__: object) -> None:
        raise OSError("nothing is loaded here")

    told: list[str] = []
    for kind in (AutoModelForCausalLM, AutoModelForSequenceClassification):
        monkeypatch.setattr(kind, "from_pretrained", fails)
    for module in ("amends.models.loading", "amends.training.rlhf"):
        monkeypatch.setattr(f"{module}.avoid_cudnn_attention", told.append)
        monkeypatch.setattr(f"{module}.best_device", lambda: "cuda")
        monkeypatch.setattr(f"{module}.best_dtype", lambda _: torch.float16)
    with pytest.raises(ModelError):
        load_model(find_model("embedded"))
    with pytest.raises(OSError, match="nothing is loaded here"):
        rlhf._scorer(Recipe("embedded"), load_tokenizer(find_model("embedded")))
    assert told == ["cuda", "cuda"]
