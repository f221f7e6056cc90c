"""Rows that are asked again and again, each with its next prompt, until what comes of it is taken."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from amends.seeds import derive_seed

if TYPE_CHECKING:
    from amends.models.base import Generation, Prompt


class Turn(NamedTuple):
    """One attempt at one row; both are counted from 0."""

    row: int
    attempt: int

    def round_seed(self, seed: int) -> int:
        """Of all rows at the same attempt, for models that draw for a whole list of prompts."""
        return derive_seed(seed, "round", self.attempt)

    def seed(self, seed: int) -> int:
        """Of this attempt at this row alone, whatever is asked beside it."""
        return derive_seed(self.round_seed(seed), "row", self.row)


@dataclass(frozen=True)
class Turns:
    """What is asked until rows are done. Whoever asks is free in the order, but for each row's own.

    Attributes:
        rows: how many there are.
        attempts: of each row at most.
        prompt: what is asked at a turn.
        take: is given answers, at most one of a row and those of a row in turn; says of each whether its row is done.
    """

    rows: int
    attempts: int
    prompt: Callable[[Turn], "Prompt"]
    take: Callable[[Sequence[tuple[Turn, "Generation"]]], Sequence[bool]]

    def first(self) -> list[Turn]:
        """The first turn of each row."""
        return [Turn(row, 0) for row in range(self.rows)] if self.attempts else []

    def following(self, answered: Sequence[tuple[Turn, "Generation"]]) -> list[Turn]:
        """Takes answers, and gives the next turn of each row that is not done and has one."""
        if not answered:
            return []
        turns = [turn for turn, _ in answered]
        return [
            Turn(row, attempt + 1)
            for (row, attempt), done in zip(turns, self.take(answered), strict=True)
            if not done and attempt + 1 < self.attempts
        ]
