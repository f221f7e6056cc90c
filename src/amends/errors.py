"""Errors named by the boundary they happen at. Each message says where, what, and what to do next."""


class AmendsError(Exception):
    """A run or a gate failed. The command line prints the message and exits with `exit_code`."""

    exit_code = 1


class InputError(AmendsError):
    """A file, a row, a name or an option that cannot be used; the message names it and the remedy."""

    exit_code = 2


class ConfigError(InputError):
    """A configuration that cannot be used. `problems` holds every problem found, not only the first."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        lines = "\n".join(f"  - {problem}" for problem in problems)
        count = f"{len(problems)} problem" + ("s" if len(problems) != 1 else "")
        super().__init__(f"{source}: {count}\n{lines}")


class StoreError(InputError):
    """A run directory or an artefact that cannot be written: locked, foreign, or the device is full."""


class ModelError(InputError):
    """A model, tokenizer or adapter that cannot be loaded or used."""


class OutageError(ModelError):
    """A server that has answered, and does not any more: the same command goes on when it is back."""

    exit_code = 1


class SampleError(InputError):
    """Composed samples that must not be trained on: cut off, fully masked, or leaking a guide."""


class TrainingError(AmendsError):
    """A training that ended in weights which are no numbers."""


class YieldError(AmendsError):
    """A stage produced too little that passed its gate to go on."""


def in_a_line(error: Exception) -> str:
    """What an error of a library says, on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def memory_is_full(error: Exception) -> bool:
    """Whether the device, or this machine, had no room left; by name, since torch is not loaded for every command."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # A CPU's; what allocates on a GPU without torch (kernels, Triton); cuBLAS and cuDNN.
    return any(words in str(error) for words in ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED"))
