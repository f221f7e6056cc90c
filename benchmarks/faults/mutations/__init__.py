"""The mutants: small changes of the source, by what each breaks, and the tests that must fail."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One change of the source that must not go unnoticed.

    Attributes:
        change: what it does, in words.
        file: below `src/amends`.
        before: a text that stands once in the file.
        after: what stands there instead.
        tests: one of these must fail, each named as pytest does, below `tests`.
    """

    change: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]


Mutants = dict[str, tuple[Mutant, ...]]
"""By what they break."""
