"""Where all answers of two systems are equal, which the results say first: there nothing was measured, or it failed."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from pathlib import Path

from amends.config.methods import METHODS
from amends.config.settings import Configuration
from amends.evaluation.suites.base import SUITE_KINDS, SuiteKind
from amends.records import Inference
from amends.storage.run_directory import RunDirectory


def sameness(configuration: Configuration, directory: Path) -> list[str]:
    """A sentence for each suite on which guided answers equal the unguided, or trained ones the untouched model's."""
    return [
        f"On {suite} {_system(a)} and {_system(b)} gave the same {kind.said} to every prompt: nothing tells them apart "
        "there."
        for suite, settings in configuration.suites.items()
        for a, b in _pairs(configuration)
        for kind in [SUITE_KINDS[settings.kind]]
        if _equal(_values(directory, a, suite, kind), _values(directory, b, suite, kind))
    ]


def same_draws(configuration: Configuration, runs: Sequence[Path]) -> list[str]:
    """A sentence for each suite on which two seeds drew the same answers."""
    if len(runs) < 2 or not configuration.respond.temperature:
        return []
    systems = [(method, one) for method in configuration.methods for one in configuration.respond.inference]
    return [
        f"On {suite} {_system(system)} gave the same answers in {first.name} and {second.name}, although it draws "
        "them: intervals over seeds mean nothing there."
        for suite, settings in configuration.suites.items()
        for kind in [SUITE_KINDS[settings.kind]]
        if kind.generates
        for system in systems
        for first, second in pairwise(runs)
        if _equal(*(_values(one, system, suite, kind) for one in (first, second)))
    ]


def _system(system: tuple[str, Inference]) -> str:
    return "/".join(system)


def _pairs(configuration: Configuration) -> list[tuple[tuple[str, Inference], tuple[str, Inference]]]:
    inferences, methods = configuration.respond.inference, configuration.methods
    untouched = [name for name in methods if not METHODS[name].kinds]
    trained = [name for name in methods if METHODS[name].kinds]
    return [
        *(((name, "guided"), (name, "unguided")) for name in methods if len(set(inferences)) > 1),
        *(((name, one), (base, one)) for base in untouched for name in trained for one in inferences),
    ]


def _values(
    directory: Path, system: tuple[str, Inference], suite: str, kind: SuiteKind
) -> Iterator[tuple[str, str | float]]:
    return kind.values(RunDirectory(directory).measured(*system, suite, kind.written))


def _equal(first: Iterator[tuple[str, str | float]], second: Iterator[tuple[str, str | float]]) -> bool:
    """Whether all rows are, of which there are some; reads up to the first that differs."""
    some = False
    for one, other in zip_longest(first, second):
        if one != other:
            return False
        some = True
    return some
