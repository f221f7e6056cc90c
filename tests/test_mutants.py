"""The mutants fit the source: each changes one place and names tests that are there. `make mutants` runs them."""

import re
from pathlib import Path

from benchmarks.faults.mutants import ALL, REPOSITORY, mutated
from benchmarks.faults.mutations import Mutant

INVARIANTS = 12
FEWEST = 3


def problem_of(mutant: Mutant) -> str:
    try:
        mutated(mutant, REPOSITORY)
    except (OSError, ValueError) as error:
        return str(error)
    missing = [name for name in mutant.tests if not is_there(name)]
    return f"{mutant.change}: no such test: {missing}" if missing or not mutant.tests else ""


def is_there(test: str) -> bool:
    path, _, function = test.partition("::")
    file = Path(__file__).parent / path
    return file.exists() and f"def {function}" in file.read_text()


def test_each_changes_one_place_and_names_tests_that_there_are() -> None:
    assert [found for mutants in ALL.values() for one in mutants if (found := problem_of(one))] == []


def test_every_invariant_and_claim_has_three() -> None:
    numbers = {int(found[1]) for broken in ALL if (found := re.match(r"invariant (\d+):", broken))}
    assert numbers == {*range(1, INVARIANTS + 1)}
    assert {broken for broken, mutants in ALL.items() if len(mutants) < FEWEST} == set()
