"""LoRA adapters: whether one fits a model, which its tensors' shapes decide, and merging it."""

import json
from pathlib import Path
from typing import Any

from amends.errors import ModelError, in_a_line, memory_is_full
from amends.models.source import ADAPTER, ModelSource

WEIGHTS = "adapter_model.safetensors"


def check_adapter(adapter: Path) -> None:
    """Raises ModelError where a directory is no LoRA adapter that amends can load; reads its configuration alone."""
    kind = _configuration(adapter).get("peft_type")
    if kind != "LORA":  # others may fetch models of their own
        raise ModelError(f"{adapter}: is a PEFT adapter of type {kind}; amends takes LORA alone")
    if not (adapter / WEIGHTS).exists():  # PEFT would take a pickle, or ask the hub for one
        raise ModelError(f"{adapter}: no {WEIGHTS} in it; save it as safetensors, or train it again")


def _configuration(adapter: Path) -> dict[str, Any]:
    path = adapter / ADAPTER
    if not path.exists():
        raise ModelError(f"{adapter}: no {ADAPTER} in it, so it is no adapter; name the directory that has it")
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: is not readable as JSON ({in_a_line(error)}); train it again") from error


def other_base(adapter: Path, source: ModelSource) -> str:
    """The base that an adapter names, where that is not plainly this model; else nothing.

    By path or, since it may be moved, by its name. A full training's directory is `model` in every run, which tells
    nothing; and PEFT writes none for a model that was not loaded from anywhere.
    """
    base, name = str(_configuration(adapter).get("base_model_name_or_path") or ""), Path(source.location).name
    same = base in ("", source.name, source.location) or (Path(base).name == name != "model")
    return "" if same else base


def base_remarks(adapter: Path, source: ModelSource) -> list[str]:
    """What is said of an adapter that names another base: the model that is named has the last word, where it fits."""
    base = other_base(adapter, source)
    return [f"{adapter}: names {base} as its base; it fits {source.name}, and is used with that"] if base else []


def check_fit(source: ModelSource, adapter: Path) -> None:
    """Raises ModelError where an adapter does not fit a model; loads no weights.

    The name of its base does not decide: models are moved, packed in 4 bits under other names, or named not at all. The
    modules that it adapts have to be there, and each of its tensors has to find its place, its shape and no gap.
    """
    check_adapter(adapter)
    try:
        _place(source, adapter)
    except Exception as error:
        if memory_is_full(error):
            raise
        base = other_base(adapter, source)
        named = f"{base}: name that" if base else "another model: name its base"
        raise ModelError(
            f"{adapter}: does not fit {source.name} ({in_a_line(error)}); it was trained on {named} with --model"
        ) from error


def _place(source: ModelSource, adapter: Path) -> None:
    """Puts the adapter's tensors, as shapes without numbers, into the model's. Raises whatever PEFT does."""
    import torch
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors import safe_open

    from amends.models.configuration import empty_model

    model = empty_model(source)
    configuration = LoraConfig.from_pretrained(str(adapter))
    configuration.init_lora_weights = True  # others begin from the weights' numbers
    configuration.base_model_name_or_path = None  # which is not looked up
    adapted = get_peft_model(model, configuration, low_cpu_mem_usage=True)
    room = {name.replace(".default", ""): tuple(one.shape) for name, one in adapted.state_dict().items()}
    with safe_open(adapter / WEIGHTS, "pt") as file:
        given = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name, shape in given.items():
        if room.get(name, shape) != shape:
            raise ValueError(f"its {name} is {list(shape)}, where the model has {list(room[name])}")
    found = set_peft_model_state_dict(
        adapted, {name: torch.empty(shape, device="meta") for name, shape in given.items()}, low_cpu_mem_usage=True
    )
    missing = sorted(name for name in found.missing_keys if "lora_" in name)
    for names, what in ((found.unexpected_keys, "the model has no place for its"), (missing, "it has no")):
        if names:
            raise ValueError(f"{what} {names[0]}")


def merged(model: Any, source: ModelSource, adapter: Path) -> Any:
    """The model with the adapter added to its weights.

    Raises ModelError where the adapter does not fit.
    """
    from peft import PeftModel

    check_fit(source, adapter)
    try:
        # Merged, since 210 small adapters of their own precision cost more than half of a CPU's generation rate.
        whole = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except Exception as error:
        if memory_is_full(error):
            raise
        raise ModelError(f"{adapter}: cannot be merged into {source.name} ({in_a_line(error)})") from error
    # PEFT freezes the weights, and torch multiplies a strided slice with a frozen matrix by copying it for every row.
    return whole.requires_grad_(True)
