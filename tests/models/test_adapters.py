"""Which adapter goes with which model: its tensors decide, and not the name of its base."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from amends.errors import ModelError
from amends.judges.load import load_judge
from amends.models.adapters import check_fit, other_base
from amends.models.base import SHORT, Sampling
from amends.models.hf import LocalModel
from amends.models.source import find_model
from conftest import run_amends
from tiny import tiny_adapter, tiny_model

GREEDY = Sampling(8, 0)
ASKED = [{"role": "user", "content": "Name a colour."}]
ROWS: dict[str, dict[str, Any]] = {
    "instructions": {"id": "a", "prompt": "Name a colour."},
    "responses": {"id": "a", "prompt": "Name a colour.", "response": "Blue."},
    "samples": {"id": "a", "kind": "safe", "prompt": ASKED, "completion": [{"role": "assistant", "content": "Blue."}]},
}


def good_file(directory: Path, kind: str = "instructions") -> Path:
    path = directory / f"{kind}.jsonl"
    path.write_text(json.dumps(ROWS[kind]) + "\n")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny") / "tiny")


BASES = [
    None,
    "",
    "somebody/tiny",
    "unsloth/tiny-bnb-4bit",
    "/root/.cache/huggingface/hub/models--somebody--tiny/snapshots/0123456789abcdef",
    "/moved/tiny",
    "quite/another-name",
]


@pytest.mark.parametrize("base", BASES)
def test_an_adapter_that_fits_is_used_whatever_its_base_is_called(
    base: str | None, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tiny_adapter(tmp_path / "a", model, base)
    common = ["respond", "--model", str(model), "--prompts", str(good_file(tmp_path)), "--temperature", "0"]
    assert run_amends(*common, "--out", str(tmp_path / "bare.jsonl"), "--max-new-tokens", "8") == 0
    assert "as its base" not in capsys.readouterr().err
    assert (
        run_amends(*common, "--out", str(tmp_path / "r.jsonl"), "--max-new-tokens", "8", "--adapter", str(adapter)) == 0
    )
    said = " ".join(capsys.readouterr().err.split())
    assert (f"names {base} as its base; it fits" in said) == bool(base and Path(base).name != "tiny")
    assert (tmp_path / "r.jsonl").read_text() != (tmp_path / "bare.jsonl").read_text(), "it is used"


def test_shapes_that_do_not_fit_are_refused_with_the_tensors_name(
    model: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    wide = tiny_model(tmp_path / "wide", size=64)
    adapter = tiny_adapter(tmp_path / "a", wide, "somebody/wide")
    common = ["--model", str(model), "--out", str(tmp_path / "out.jsonl")]
    asked = ["respond", "--adapter", str(adapter), "--prompts", str(good_file(tmp_path)), *common]
    trained = ["train", "--start", str(adapter), "--samples", str(good_file(tmp_path, "samples")), *common]
    for command in (asked, trained):
        message = refused(*command)
        assert message.startswith(f"{adapter}: does not fit {model} (its base_model.model.model.layers.0.self_attn.")
        assert "q_proj.lora_A.weight is [4, 64], where the model has [4, 32]" in message
        assert message.endswith("it was trained on somebody/wide: name that with --model")
        assert "\n" not in message


def test_vocabularies_that_differ_are_refused(model: Path, tmp_path: Path) -> None:
    larger = tiny_model(tmp_path / "larger", vocab_size=49_160)
    whole = tiny_adapter(tmp_path / "whole", larger, modules_to_save=["embed_tokens"])
    low = tiny_adapter(tmp_path / "low", larger, targets=["q_proj", "embed_tokens"])
    for adapter in (whole, low):
        check_fit(find_model(str(larger)), adapter)
        with pytest.raises(ModelError, match=r"does not fit .*embed_tokens.*49160.*49152"):
            check_fit(find_model(str(model)), adapter)


def change(adapter: Path, what: Callable[[dict[str, Any]], object]) -> None:
    tensors = load_file(adapter / "adapter_model.safetensors")
    what(tensors)
    save_file(tensors, adapter / "adapter_model.safetensors")


def test_modules_that_are_missing_on_either_side_are_refused(model: Path, tmp_path: Path) -> None:
    source, adapter = find_model(str(model)), tiny_adapter(tmp_path / "a", model)
    first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    for what, said in (
        (lambda tensors: tensors.pop(first), "it has no .*layers.0.self_attn.q_proj.lora_A"),
        (
            lambda tensors: tensors.update(
                {first: torch.ones(4, 32), first.replace("q_proj", "x_proj"): torch.ones(1)}
            ),
            "the model has no place for its .*x_proj",
        ),
    ):
        change(adapter, what)
        with pytest.raises(ModelError, match=said):
            check_fit(source, adapter)
    configuration = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(configuration | {"target_modules": ["fused_qkv"]}))
    with pytest.raises(ModelError, match=r"does not fit .*fused_qkv"):
        check_fit(source, adapter)


def test_the_base_that_is_named_is_known_by_path_or_name(model: Path, tmp_path: Path) -> None:
    source = find_model(str(model))
    adapter = tiny_adapter(tmp_path / "a", model)
    for base, other in (
        *((same, "") for same in (None, "", str(model), "/moved/tiny", "owner/tiny")),
        ("owner/large", "owner/large"),
    ):
        configuration = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(json.dumps(configuration | {"base_model_name_or_path": base}))
        assert other_base(adapter, source) == other
    full = shutil.copytree(model, tmp_path / "model")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "/run/dpo/model"}))
    assert other_base(adapter, find_model(str(full))), "every full training is called model"


@pytest.fixture
def both(model: Path, tmp_path: Path) -> Path:
    """A model with an adapter beside its weights, which transformers would load without a word."""
    directory = shutil.copytree(model, tmp_path / "llama-guard-both")
    adapter = tiny_adapter(tmp_path / "a", model)
    for path in adapter.glob("adapter_*"):
        shutil.copy(path, directory)
    return directory


def test_a_model_with_an_adapter_beside_it_is_refused_wherever_a_model_is_named(
    both: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    rows, samples, responses = (str(good_file(tmp_path, kind)) for kind in ("instructions", "samples", "responses"))
    out = ["--out", str(tmp_path / "out.jsonl")]
    for command in (
        ["respond", "--prompts", rows, "--model", str(both)],
        ["train", "--samples", samples, "--model", str(both)],
        ["train", "--samples", samples, "--full", "--start", str(both)],
        ["induce", "--instructions", rows, "--model", str(both)],
        ["judge", "--responses", responses, "--judge", f"local:{both}"],
        ["judge", "--responses", responses, "--judge", f"guard:{both}"],
        ["study", str(both)],
        ["compose", "--method", "sft", "--instructions", rows, "--preview", "1", "--model", str(both)],
    ):
        message = refused(*command, *out)
        assert message.startswith(f"{both}: has an adapter beside the model's weights; merge them, or move adapter_con")
    for name in (f"local:{both}", f"guard:{both}"):
        with pytest.raises(ModelError, match="has an adapter beside"):
            load_judge(name)


def test_an_adapter_from_such_a_directory_can_be_named_as_one(both: Path, model: Path) -> None:
    (one,) = LocalModel(str(model), both).generate([SHORT], GREEDY, 0)
    assert one != LocalModel(str(model)).generate([SHORT], GREEDY, 0)[0]


def test_a_configuration_beside_an_adapter_makes_no_model_of_it(both: Path) -> None:
    (both / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"is an adapter; merge it .*--adapter"):
        find_model(str(both))


def test_an_adapter_of_the_hub_is_seen_in_its_cache(
    both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    cached = tmp_path / "hub/models--somebody--both"
    shutil.copytree(both, cached / "snapshots" / ("c" * 40))
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("c" * 40)
    with pytest.raises(ModelError, match="somebody/both: has an adapter beside the model's weights"):
        _ = LocalModel("somebody/both").fingerprint
