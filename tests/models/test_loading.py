"""What every load of a model does: which kernels a GPU may use, which files count, what stays a memory error."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, LlamaConfig

from amends.errors import InputError, ModelError
from amends.models.device import avoid_cudnn_attention, best_dtype, hardware
from amends.models.loading import load_model, load_tokenizer
from amends.models.source import find_model
from amends.training.recipe import Recipe
from amends.training.trainers import rlhf


def test_attention_of_cudnn_is_off_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", told.append)
    avoid_cudnn_attention("cpu")
    assert told == []
    avoid_cudnn_attention("cuda")
    assert told == [False]


def test_every_loader_asks_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("nothing is loaded here")

    told: list[str] = []
    for kind in (AutoModelForCausalLM, AutoModelForSequenceClassification):
        monkeypatch.setattr(kind, "from_pretrained", fails)
    monkeypatch.setattr("amends.models.loading.avoid_cudnn_attention", told.append)
    monkeypatch.setattr("amends.models.loading.best_dtype", lambda _: torch.float16)
    for module in ("amends.models.loading", "amends.training.trainers.rlhf"):
        monkeypatch.setattr(f"{module}.best_device", lambda: "cuda")
    with pytest.raises(ModelError, match="nothing is loaded here"):
        load_model(find_model("embedded"))
    with pytest.raises(ModelError, match="nothing is loaded here"):
        rlhf.reward_model(Recipe("embedded"), load_tokenizer(find_model("embedded")))
    assert told == ["cuda", "cuda"]


FULL = [
    torch.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("CUDA error: out of memory"),
]


@pytest.mark.parametrize("full", FULL, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("kind", ["transformers.AutoModelForCausalLM", "peft.PeftModel"])
def test_memory_that_is_full_is_not_the_files_fault(
    monkeypatch: pytest.MonkeyPatch, full: Exception, kind: str
) -> None:
    """So that the advice on memory is given."""

    def load(*_: object, **__: object) -> torch.nn.Module:
        return torch.nn.Linear(1, 1)

    def fails(*_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr("amends.models.adapters.check_fit", lambda *_: None)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", load)
    monkeypatch.setattr(f"{kind}.from_pretrained", fails)
    with pytest.raises(type(full)) as caught:
        load_model(find_model("embedded"), "cpu", Path("adapter"))
    assert caught.value is full


def test_no_tokenizer_of_foreign_code_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unsaid, the library asks on a terminal."""
    asked: list[dict[str, object]] = []

    def load(_: str, **options: object) -> None:
        asked.append(options)
        raise ValueError("no")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", load)
    with pytest.raises(ModelError):
        load_tokenizer(find_model("embedded"))
    assert asked[0]["trust_remote_code"] is False


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("adapter", "adapter: is an adapter; merge it into its model first"),
        ("nothing", "nothing: no config.json in it, so it is no model directory"),
        ("~nobody-has-this-name/model", "there is no such user's home"),
        ("~/no-such-directory-of-amends", "no such directory"),
    ],
)
def test_what_is_no_model_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    for directory in ("adapter", "nothing"):
        Path(directory).mkdir()
    Path("adapter/adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=said):
        find_model(name)


def test_the_hardware_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = hardware("cpu")
    assert re.fullmatch(r"\d+ x \S.*", found["processor"])
    assert re.fullmatch(r"\d+ GiB", found["memory"])
    card = SimpleNamespace(name="NVIDIA H100 80GB HBM3", total_memory=79 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 91002)
    gpu = {"GPU": "NVIDIA H100 80GB HBM3, 79 GiB", "CUDA, cuDNN": "13.0, 91002"}
    assert hardware("cuda") == found | gpu


def test_all_of_a_hub_model_is_of_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is pushed there while a run goes on."""

    class Seen(Exception):
        pass

    def capture(*_: object, **options: object) -> None:
        raise Seen(options["revision"])

    monkeypatch.setattr("amends.models.source._hub_commit", lambda name: f"commit of {name}")
    source = find_model("owner/name")
    for kind, load in (
        ("AutoTokenizer", load_tokenizer),
        ("AutoConfig", load_model),
        ("AutoModelForCausalLM", load_model),
    ):
        with monkeypatch.context() as patch:
            if kind == "AutoModelForCausalLM":
                patch.setattr("amends.models.loading.read_configuration", lambda _: LlamaConfig())
            patch.setattr(f"transformers.{kind}.from_pretrained", capture)
            with pytest.raises(ModelError, match="commit of owner/name"):
                load(source)


def test_a_build_of_torch_without_mkldnn_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Mac: what one would ask there is not there."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.delattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported")
    assert best_dtype("cpu") is torch.float32
