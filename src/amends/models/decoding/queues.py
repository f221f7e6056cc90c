"""What slots are filled from, and the plain one: prompts that wait."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

import torch

REFILL_SHARE = 8  # newcomers wait until an eighth of the slots is free: reading prompts one by one would waste products

Key = TypeVar("Key")
Group = tuple[tuple[int, ...], list[tuple[Key, list[int]]]]
"""The first tokens that some prompts share, and these prompts, longest first, by their keys."""


class Queue(Protocol[Key]):
    """Gives prompts to slots, and is told what becomes of them."""

    def refill(self, free: int, active: int) -> Collection[Key]:
        """There is room for so many beside those that are active. Returns active ones that nobody wants any more."""

    def take(self, room: int) -> list[Group[Key]]:
        """At most so many prompts, by what they begin with; they are active from now on."""

    def drawn(self, active: Sequence[Key], lengths: Sequence[int]) -> torch.Tensor | None:
        """Random numbers [active] in [0, 1) for the next tokens, behind so many each; None for any."""

    def ended(self, key: Key, tokens: list[int]) -> None:
        """An active one has its last token."""


class PromptQueue:
    """Prompts one after another, whose first `prefix` tokens are the same. `outputs`: their tokens, in order."""

    def __init__(self, prompts: Sequence[list[int]], prefix: int) -> None:
        self.prompts, self.prefix = prompts, prefix
        self.outputs: list[list[int]] = [[] for _ in prompts]
        self._next = 0

    def refill(self, free: int, active: int) -> Collection[int]:
        """Nobody is dropped."""
        return ()

    def take(self, room: int) -> list[Group[int]]:
        """The next prompts."""
        numbers = range(self._next, min(self._next + room, len(self.prompts)))
        self._next = numbers.stop if numbers else self._next
        prefix = tuple(self.prompts[0][: self.prefix])
        return [(prefix, [(number, self.prompts[number]) for number in numbers])] if numbers else []

    def drawn(self, active: Sequence[int], lengths: Sequence[int]) -> torch.Tensor | None:
        """One stream for all."""
        return None

    def ended(self, key: int, tokens: list[int]) -> None:
        """Keeps them."""
        self.outputs[key] = tokens
