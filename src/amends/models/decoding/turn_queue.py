"""Slots that are filled with attempts: what follows from what became of others, in one continuous batch."""

from collections import deque
from collections.abc import Callable, Collection, Sequence

import torch

from amends.models.base import Generation
from amends.models.decoding.batches import MINIMUM_PREFIX, shared_prefix
from amends.models.decoding.queues import REFILL_SHARE, Group
from amends.models.turns import Turn, Turns

CHEAP_ROWS = {"cpu": 32, "cuda": 2_048}  # a CPU: 95 ms a step for its weights, 3 ms a row (dev/log/2026.md)
WORTH_A_SLOT, WORTH_A_TRY = 0.5, 0.1  # shares of attempts that are needed, from which they begin before that is known


class TurnQueue:
    """Attempts at rows, each row's in turn. Where slots stay empty, attempts begin before it is known that they count.

    A step of few rows takes nearly as long as one of many, since all weights are read for it. What is taken of a row
    is the same as without: its attempts are judged in turn, and those behind the one that is taken are dropped.

    Args:
        turns: what is asked, and who judges.
        rows: of these turns; others are asked apart.
        encode: the tokens of a turn's prompt; None where it leaves no room for an answer.
        read: the answer that tokens spell.
        draws: random numbers for the tokens of a turn.
        cheap: rows of which a step takes hardly longer than one of a single row.
    """

    def __init__(
        self,
        turns: Turns,
        rows: Sequence[int],
        encode: Callable[[Turn], list[int] | None],
        read: Callable[[list[int]], Generation],
        draws: Callable[[Turn], Sequence[float]],
        cheap: int,
    ) -> None:
        self._cheap, self._judged, self._failed = cheap, 0, 0
        self.turns, self._encode, self._read, self._draws = turns, encode, read, draws
        self._open = {row: Turn(row, 0) for row in rows} if turns.attempts else {}  # the attempt to be judged next
        self._begun = dict.fromkeys(rows, 0)  # attempts of each row that are waiting, active or made
        self._waiting: deque[Turn] = deque()
        self._random: dict[Turn, Sequence[float]] = {}  # of those that are active
        self._made: dict[Turn, Generation] = {}
        self._prefixes: dict[tuple[int, ...], tuple[int, ...]] = {}
        for turn in self._open.values():
            self._begin(turn)
        self._share_prefixes()

    def _share_prefixes(self) -> None:
        groups: dict[tuple[int, ...], list[list[int]]] = {}
        for row in self._open:
            for attempt in range(self.turns.attempts):
                if prompt := self._encode(Turn(row, attempt)):
                    groups.setdefault(tuple(prompt[:MINIMUM_PREFIX]), []).append(prompt)
        self._prefixes = {first: tuple(group[0][: shared_prefix(group)]) for first, group in groups.items()}

    def _begin(self, turn: Turn) -> None:
        self._begun[turn.row] = turn.attempt + 1
        if self._encode(turn) is None:
            self._made[turn] = Generation(text="", finished=False, tokens=0)
        else:
            self._waiting.append(turn)

    def refill(self, free: int, active: int) -> Collection[Turn]:
        """Judges what has ended, a share of the active rows at once, where too few wait for the room that there is."""
        few = len(self._made) * REFILL_SHARE < active  # a judge reads many texts at the price of some
        if len(self._waiting) >= free or (active and few):
            return ()
        dropped = self._judge()
        waiting = len(self._waiting)
        self._look_ahead(free + len(dropped) - waiting, active - len(dropped) + waiting)
        return dropped

    def _judge(self) -> Collection[Turn]:
        """Returns the active turns of rows that are done."""
        done: set[int] = set()
        while ready := [turn for turn in self._open.values() if turn in self._made]:
            following = {
                turn.row: turn for turn in self.turns.following([(turn, self._made.pop(turn)) for turn in ready])
            }
            self._judged += len(ready)
            self._failed += len(following)
            for row, _ in ready:
                if row in following:
                    self._open[row] = following[row]
                    if self._begun[row] == following[row].attempt:
                        self._begin(following[row])
                else:
                    del self._open[row]
                    done.add(row)
        self._made = {turn: made for turn, made in self._made.items() if turn.row in self._open}
        self._waiting = deque(turn for turn in self._waiting if turn.row in self._open)
        dropped = {turn for turn in self._random if turn.row in done}
        for turn in dropped:
            del self._random[turn]
        return dropped

    def _look_ahead(self, room: int, active: int) -> None:
        """Begins attempts of open rows, those first that are the least ahead, as long as that is worth it."""
        fails = (self._failed + 1) / (self._judged + 2)
        for ahead in range(1, self.turns.attempts):
            share = fails**ahead  # of such attempts that will be needed
            worth = room if share >= WORTH_A_SLOT else min(room, self._cheap - active) if share >= WORTH_A_TRY else 0
            for turn in list(self._open.values()):
                if worth <= 0:
                    break
                attempt = turn.attempt + ahead
                if self._begun[turn.row] == attempt < self.turns.attempts:
                    self._begin(Turn(turn.row, attempt))
                    worth, room, active = worth - 1, room - 1, active + 1

    def take(self, room: int) -> list[Group[Turn]]:
        """Those that waited longest, by what they begin with."""
        groups: dict[tuple[int, ...], list[tuple[Turn, list[int]]]] = {}
        for _ in range(min(room, len(self._waiting))):
            turn = self._waiting.popleft()
            self._random[turn] = self._draws(turn)
            prompt = self._encode(turn) or []
            groups.setdefault(self._prefixes[tuple(prompt[:MINIMUM_PREFIX])], []).append((turn, prompt))
        return [(prefix, sorted(group, key=lambda one: -len(one[1]))) for prefix, group in groups.items()]

    def drawn(self, active: Sequence[Turn], lengths: Sequence[int]) -> torch.Tensor | None:
        """Each turn's own."""
        return torch.tensor([self._random[turn][length] for turn, length in zip(active, lengths, strict=True)])

    def ended(self, key: Turn, tokens: list[int]) -> None:
        """Reads its answer."""
        del self._random[key]
        self._made[key] = self._read(tokens)
