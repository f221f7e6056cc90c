"""Errors named by the boundary they happen at. Each message says where, what, and what to do next."""

import difflib
from collections.abc import Sequence


class AmendsError(Exception):
    """A run or a gate failed. The command line prints the message and exits with `exit_code`.

    Example:
        try:
            amends.run("own", train={"epoch": 3})
        except amends.AmendsError as error:
            print(error)  # names the nearest setting, train.epochs
    """

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
        self._source = source

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[str, list[str]]]:
        """As any error can: it goes from a process to another."""
        return type(self), (self._source, self.problems)


class StoreError(InputError):
    """A run directory or an artefact that cannot be written: locked, foreign, or the device is full."""


class ModelError(InputError):
    """A model, tokenizer or adapter that cannot be loaded or used."""


class OutageError(ModelError):
    """A server that has answered, and does not any more: the same command goes on when it is back."""

    exit_code = 1


class JudgeError(AmendsError):
    """A judge of the user's own that fails in the middle of its work."""


class SampleError(InputError):
    """Composed samples that must not be trained on: cut off, fully masked, or leaking a guide."""


class TrainingError(AmendsError):
    """A training that ended in weights which are no numbers."""


class MeasurementError(AmendsError):
    """A measurement that is not of what it is said to be: other weights, other prompts, or the same seed twice."""


class GateError(AmendsError):
    """What is to be trained on as safe looks harmful to the gate."""


class YieldError(AmendsError):
    """A stage produced too little that passed its gate to go on."""


def closest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is meant by one that is none; None where no one is near."""
    return next(iter(difflib.get_close_matches(name, known, 1)), None)


def nearest(name: str, known: Sequence[str]) -> str:
    """`; did you mean ...?` where a known name is near, and the list of them all."""
    close = closest(name, known)
    hint = f"; did you mean {close!r}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"


def unknown(what: str, name: str, known: Sequence[str], how: str, forms: Sequence[str] = ()) -> InputError:
    """The error of a name that a registry does not have: the nearest that it has, all of them, and how to add one.

    Args:
        what: would have that name, such as `judge`.
        how: a user adds one.
        forms: how the known ones are written, where they are not written as they are named.
    """
    close = closest(name.partition(":")[0], known)
    hint = f"; did you mean {close!r}?" if close else ";"
    shown = f"{name.partition(':')[0]}:..." if "://" in name else name  # an address may hold a password
    return InputError(f"unknown {what} {shown!r}{hint} known: {', '.join(forms or known)}. To add one: {how}")


def in_a_line(error: Exception) -> str:
    """What an error of a library says, on one line of at most 300 characters."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def memory_is_full(error: Exception) -> bool:
    """Whether the device, or this machine, had no room left; by name, since torch is not loaded for every command."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # A CPU's; what allocates on a GPU without torch (kernels, Triton); cuBLAS and cuDNN.
    return any(words in str(error) for words in ("DefaultCPUAllocator", "out of memory", "ALLOC_FAILED"))
