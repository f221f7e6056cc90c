"""What this machine computes on: device, precision, memory, and what is switched off there."""

import gc
import os
import platform
import re
from pathlib import Path
from typing import Any


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


def memory_bytes(device: str) -> int:
    """All memory of this machine, or of its first GPU: what it is, not what is free."""
    import torch

    if device == "cuda":
        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def hardware(device: str) -> dict[str, str]:
    """Processor and memory of this machine; on `cuda` its first GPU's, too, and what drives it."""
    import torch

    processors = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", processors.read_text()) if processors.exists() else None
    name = named[1] if named else platform.processor() or platform.machine()
    found = {"processor": f"{os.cpu_count()} x {name}", "memory": f"{memory_bytes('cpu') / 2**30:.0f} GiB"}
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
