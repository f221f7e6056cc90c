"""A base in 4 bits: what it takes of memory, what is refused, and, where bitsandbytes is, that it trains."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from amends.config.reading import load_configuration
from amends.errors import ConfigError, InputError
from amends.models.hf import LocalModel
from amends.models.libraries import quiet_libraries
from amends.models.size import Size
from amends.models.source import find_model
from amends.models.weights import weights_digest
from amends.records import Message, Preference, Sample
from amends.training import memory
from amends.training.fit import fit
from amends.training.memory import decided, training_memory
from amends.training.quantization import load_quantized, weights_bytes
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS, processes_of
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

SIZE = Size(1_000_000, 2, layers=4, hidden=32, vocabulary=100, linear={"layers.0.q_proj": (900, 1000)})
FEW_BITS = TrainSettings(quantization="4bit", max_steps=6, batch_size=4, learning_rate=1e-2, rank=4)
TURN = [Message(role="user", content="Name a colour.")]
ROWS: list[dict[str, Any]] = [
    {"id": str(n), "prompt": TURN, "completion": [Message(role="assistant", content="Blue.")]} for n in range(4)
]


def test_memory_is_that_of_4_bits_and_of_what_stays_as_it_was() -> None:
    """900,000 weights of 4.127 bits, and 100,000 of two bytes; what is trained, and the rest, are what they were."""
    assert weights_bytes(SIZE) == 464_282 + 200_000
    saved = training_memory(TrainSettings(rank=4), SIZE).fixed - training_memory(FEW_BITS, SIZE).fixed
    assert saved == 2_000_000 - weights_bytes(SIZE)


def test_activations_are_computed_twice_where_one_sample_would_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    train, longest = TrainSettings(), 1000
    assert decided(train, SIZE, longest).gradient_checkpointing is False
    needs = training_memory(train, SIZE).bytes(longest)
    for room, found in ((needs + 1_000, False), (needs - 1_000, True)):
        monkeypatch.setattr(memory, "memory_bytes", lambda _, room=room: round(room / memory.SHARE))
        assert decided(train, SIZE, longest).gradient_checkpointing is found
        assert decided(train, SIZE, longest, processes=2).gradient_checkpointing is True, "each has half of it"
        told = train.model_copy(update={"gradient_checkpointing": False})
        assert decided(told, SIZE, longest).gradient_checkpointing is False, "who says it, has it"


def test_it_changes_nothing_but_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same adapter, byte by byte; and it is said where the machine chose it."""
    model = str(tiny_model(tmp_path / "tiny", tokenizer=tiny_tokenizer()))
    train = TrainSettings(max_steps=2, batch_size=2, micro_batch_tokens=100)
    samples = [Sample(kind="safe", **row) for row in ROWS]
    said: list[str] = []
    fit("sft", samples, tmp_path / "plain", Recipe(model, train), "f", say=said.append)
    monkeypatch.setattr(memory, "memory_bytes", lambda _: 1)
    fit("sft", samples, tmp_path / "twice", Recipe(model, train), "f", say=said.append)
    assert ["computed twice" in one for one in said] == [False, True]
    plain, twice = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("plain", "twice"))
    assert plain == twice


def test_what_it_does_not_go_with_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="weights in 4 bits are not trained; name adapter=lora, or null"):
        TrainSettings(quantization="4bit", adapter="full")
    with pytest.raises(ConfigError, match=r"train\.quantization: rlhf trains and asks a second model in 16 bits"):
        load_configuration("quickstart", ["methods=[vanilla, rlhf]", "train.quantization=4bit"])
    monkeypatch.setattr("amends.training.trainers.base.sharding", lambda: "fsdp")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(InputError, match=r"train\.quantization: weights in 4 bits are not sharded \(fsdp\)"):
        processes_of(FEW_BITS, TRAINERS["sft"])


def test_without_bitsandbytes_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"bitsandbytes is not installed; pip install 'amends\[quantized\]', or null"):
        Recipe("embedded", FEW_BITS).check()


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_an_adapter_is_trained_on_4_bits_and_answers_on_16(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    model = str(tiny_model(tmp_path / "tiny", size=64, tokenizer=tiny_tokenizer()))
    rejected = [Message(role="assistant", content="Go away.")]
    rows = [
        Preference(kind="preference", rejected=rejected, **row) if kind == "dpo" else Sample(kind="safe", **row)
        for row in ROWS
    ]
    said: list[str] = []
    facts = fit(kind, rows, tmp_path / "out", Recipe(model, FEW_BITS), "f", say=said.append)
    assert said[0].endswith("the base in 4 bits")
    losses = [one["loss"] for one in facts["log"]]
    assert losses[-1] < losses[0]
    system = LocalModel(model, adapter=tmp_path / "out")
    assert facts["untouched"] == weights_digest(LocalModel(model).model) != weights_digest(system.model)
    from safetensors.torch import load_file

    trained = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert {weight.dtype for weight in trained.values()} == {torch.float32}, "small steps are not lost"


def test_gradients_are_the_same_after_it_has_answered(tmp_path: Path) -> None:
    """On a CPU bitsandbytes packs weights when a model first answers, and passes no gradient through them after."""
    pytest.importorskip("bitsandbytes")
    from peft import LoraConfig, get_peft_model

    model = load_quantized(find_model(str(tiny_model(tmp_path / "tiny", size=64, tokenizer=tiny_tokenizer()))))
    adapted = get_peft_model(model, LoraConfig(target_modules=["q_proj"], task_type="CAUSAL_LM", r=2))
    ids = torch.arange(20).reshape(2, 10)

    def gradients() -> list[torch.Tensor]:
        adapted.train()
        adapted.zero_grad()
        adapted(input_ids=ids, labels=ids).loss.backward()
        return [weight.grad.clone() for weight in adapted.parameters() if weight.requires_grad]

    before = gradients()
    adapted.eval()
    with torch.no_grad():
        adapted(input_ids=ids)
    after = gradients()
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert any(one.abs().max() > 0 for one in before[:2]), "the first layer is reached"


def test_what_the_package_advises_is_left_out_however_amends_is_used() -> None:
    """PEFT imports it in each training, and on some processors it advises another package each time."""
    quiet_libraries()
    assert not logging.getLogger("bitsandbytes.backends.cpu.ops").isEnabledFor(logging.WARNING)
