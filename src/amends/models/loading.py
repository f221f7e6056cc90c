"""Loading models, tokenizers and adapters: one place for device, precision, and errors that say what to do."""

import functools
import gc
import json
import logging
import os
import platform
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amends.errors import ModelError, in_a_line, memory_is_full
from amends.models.chat import template_with
from amends.models.embedded import embedded_model_directory
from amends.store import directory_fingerprint, expanded, fingerprint


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from: `name` as the user wrote it, `location` for from_pretrained.

    `system_prompt` is the system turn of all its conversations that have none of their own.
    """

    name: str
    location: str
    system_prompt: str | None = None

    def fingerprint(self) -> str:
        """Hash over the model's files, or over hub id and commit, and its system prompt, where it has one.

        Raises ModelError where the hub has no such model.
        """
        commit = self.commit()
        files = fingerprint(hub=self.location, commit=commit) if commit else directory_fingerprint(Path(self.location))
        return fingerprint(model=files, system_prompt=self.system_prompt) if self.system_prompt else files

    def commit(self) -> str | None:
        """The commit of a hub's model, the same as long as it is in the cache; None of a directory."""
        return None if Path(self.location).is_dir() else _hub_commit(self.location)


@functools.cache
def _hub_commit(name: str) -> str:
    """The commit that the cache holds or, where there is none, that the hub has now (which fetches config.json)."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:
        found = try_to_load_from_cache(name, "config.json")
        path = found if isinstance(found, str) else hf_hub_download(name, "config.json")
    except Exception as error:
        raise ModelError(
            f"{name}: neither a directory here nor a model of the hub that can be reached ({in_a_line(error)}); name "
            "`embedded`, a model directory or a hub id (offline: download it first; gated: ask for access there, then "
            "`hf auth login`)"
        ) from error
    return Path(path).parent.name


def find_model(name: str, system_prompt: str | None = None) -> ModelSource:
    """Resolves `embedded`, a model directory or a hub id. Raises ModelError for anything else."""
    return ModelSource(name, _location(name), system_prompt)


def _location(name: str) -> str:
    if name == "embedded":
        return str(embedded_model_directory())
    path = expanded(name)
    if path.is_dir():
        if (path / "config.json").exists():
            return str(path.absolute())
        if (path / "adapter_config.json").exists():
            raise ModelError(
                f"{path}: is an adapter; merge it into its model first (README.md, Limits), and name that (`amends "
                "respond` also takes it as it is: --adapter)"
            )
        raise ModelError(f"{path}: no config.json in it, so it is no model directory; name one that has it")
    if name.count("/") == 1 and not name.startswith((".", "/", "~")) and not path.parent.exists():
        return name
    what = f"{name}: no such directory" if "/" in name else f"unknown model {name!r}"
    raise ModelError(f"{what}; name `embedded`, an existing model directory or a hub id (owner/name)")


def quiet_libraries() -> None:
    """Silences the libraries' own progress bars and advice: amends shows its own progress."""
    from transformers.utils import logging as transformers_logging

    warnings.filterwarnings("ignore", category=FutureWarning, module=r"(transformers|trl|peft)\..*")
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    for name in ("trl", "peft", "accelerate", "datasets"):
        logging.getLogger(name).setLevel(logging.ERROR)


def best_device() -> str:
    """`cuda` where there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def free_memory() -> None:
    """Gives a GPU's memory that nothing uses any more back to what allocates without torch; nothing on a CPU."""
    import torch

    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def best_dtype(device: str) -> Any:
    """bfloat16 where the CPU or GPU computes in it; else float32 on a CPU and float16 on a GPU."""
    import torch

    if device == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    has = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if has else torch.float32


def hardware(device: str) -> dict[str, str]:
    """Processor and memory of this machine; on `cuda` its first GPU's, too, and what drives it."""
    import torch

    processors = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", processors.read_text()) if processors.exists() else None
    name = named[1] if named else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = {"processor": f"{os.cpu_count()} x {name}", "memory": f"{memory / 2**30:.0f} GiB"}
    if device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        found["GPU"] = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB"
        found["CUDA, cuDNN"] = f"{torch.version.cuda}, {torch.backends.cudnn.version()}"
    return found


def avoid_cudnn_attention(device: str) -> None:
    """Leaves attention on a GPU to torch's own kernels, in this process."""
    import torch

    if device == "cuda":
        # With masks cuDNN plans anew for each shape, and on H100 its gradients were NaN (pytorch#196678, trl#7181).
        torch.backends.cuda.enable_cudnn_sdp(False)


def load_tokenizer(source: ModelSource, chat_template: str | None = None) -> Any:
    """The model's own tokenizer, padding on the left, with another chat template where one is given.

    Raises ModelError where it has none, or one without a place for the model's system prompt.
    """
    from transformers import AutoTokenizer

    quiet_libraries()
    commit = source.commit()
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            source.location, revision=commit, padding_side="left", trust_remote_code=False
        )
    except Exception as error:
        raise ModelError(f"{source.name}: its tokenizer cannot be loaded: {in_a_line(error)}") from error
    tokenizer.chat_template = chat_template or tokenizer.chat_template
    if not tokenizer.chat_template:
        raise ModelError(
            f"{source.name}: its tokenizer has no chat template, so it is a base model; use its instruct version, or "
            "save a chat_template.jinja beside the tokenizer"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if source.system_prompt:
        try:
            tokenizer.chat_template = template_with(source.system_prompt, tokenizer)
        except ModelError as error:
            raise ModelError(f"{source.name}: {error}") from None
    return tokenizer


def load_model(source: ModelSource, device: str | None = None, adapter: Path | None = None) -> Any:
    """A causal language model in evaluation mode on `device`, with a PEFT adapter where one is named.

    Raises ModelError where the files are missing or damaged, or the adapter belongs to another base model.
    """
    from transformers import AutoModelForCausalLM

    device = device or best_device()
    model = load_weights(AutoModelForCausalLM, source, device).to(device)
    if adapter is not None:
        model = _with_adapter(model, source, adapter)
    return model.eval()


def load_weights(kind: Any, source: ModelSource, device: str, **options: Any) -> Any:
    """A model of transformers' class `kind`, in the precision for `device`, with `options` of its configuration.

    Raises ModelError where the files are missing or damaged.
    """
    quiet_libraries()
    avoid_cudnn_attention(device)
    commit = source.commit()
    try:
        return kind.from_pretrained(
            source.location,
            revision=commit,
            dtype=best_dtype(device),
            use_safetensors=True,
            trust_remote_code=False,
            **options,
        )
    except Exception as error:
        if memory_is_full(error):
            raise
        raise ModelError(
            f"{source.name}: cannot be loaded: {in_a_line(error)}; name `embedded`, a model directory with "
            "safetensors weights, or a hub id that can be reached (offline: download it first)"
        ) from error


def check_adapter(source: ModelSource, adapter: Path) -> None:
    """Raises ModelError where a directory is no adapter, or another model's; reads its configuration alone."""
    configuration_path = adapter / "adapter_config.json"
    if not configuration_path.exists():
        raise ModelError(
            f"{adapter}: no adapter_config.json in it, so it is no adapter; name the directory that has it"
        )
    try:
        configuration = json.loads(configuration_path.read_text(encoding="utf-8"))
        base, kind = str(configuration["base_model_name_or_path"]), configuration.get("peft_type")
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{configuration_path}: does not name a base model ({error!r}); train it again") from error
    if kind != "LORA":  # others may fetch models of their own
        raise ModelError(f"{adapter}: is a PEFT adapter of type {kind}; amends takes LORA alone")
    if not same_base(base, source):
        raise ModelError(f"{adapter}: was trained on {base}, not on {source.name}; name its base model with --model")
    if not (adapter / "adapter_model.safetensors").exists():  # PEFT would take a pickle, or ask the hub for one
        raise ModelError(f"{adapter}: no adapter_model.safetensors in it; save it as safetensors, or train it again")


def _with_adapter(model: Any, source: ModelSource, adapter: Path) -> Any:
    from peft import PeftModel

    try:
        # Merged, since 210 small adapters of their own precision cost more than half of a CPU's generation rate.
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except Exception as error:
        if memory_is_full(error):
            raise
        raise ModelError(
            f"{adapter}: does not fit {source.name}; it was trained on another base model ({in_a_line(error)})"
        ) from error
    # PEFT freezes the weights, and torch multiplies a strided slice with a frozen matrix by copying it for every row.
    return merged.requires_grad_(True)


def same_base(base: str, source: ModelSource) -> bool:
    """Whether an adapter's recorded base names this model: as written, by path or, since it may be moved, by its name.

    A full training's directory, `model` in every run, is no name that could tell.
    """
    name = Path(source.location).name
    return base in (source.name, source.location) or (Path(base).name == name != "model")
