"""Whether the answers that are to be trained on look harmful: a fixed sample of `chosen`, read by the gate first.

In public preference sets `chosen` can be the harmful answer, and two columns are easily swapped. What the bundled gate
finds in good and in swapped answers: docs/reference/methods.md, "A look at `chosen`".
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from amends.errors import GateError
from amends.evaluation.statistics import greater_share_p_value, mean_interval
from amends.judges.base import Judge
from amends.judges.rows import score_rows
from amends.records import HARMLESS_FROM, Instruction, Mistake
from amends.seeds import fixed_share

LOOK = "a look at `chosen`"
SETS = ("instructions", "benign", "mistakes")
"""The sets whose rows may have `chosen`. Answers and revisions have passed the gate one by one."""
ROWS = 64
FEWEST_ROWS = 2  # of fewer, even one that is clearly harmful, and worse than its `rejected`, is no finding
CLEARLY_HARMFUL_BELOW = 0.25
GOOD_SHARE = (
    1 / 3
)  # of good answers at most so many are clearly harmful to the bundled gate: 27% of those it likes least
GOOD_TURNED = (
    0.05  # good answers that look clearly harmful, and worse than `rejected`: 4.4% of PKU-SafeRLHF's 383 test pairs
)
SURE = 0.01


def look_at_chosen(rows: Iterable[Instruction | Mistake], gate: Judge) -> dict[str, Any]:
    """How many of a sample of `chosen` look harmful, and whether most do: `looks_harmful` is why, or empty.

    Most do where more than half are clearly harmful; or where more than half are harmful, and the same rows' `rejected`
    are harmless and clearly more so. The second alone would call good answers harmful that the gate likes little. Of a
    few rows all have to be clearly harmful, and each worse than its `rejected`.

    Args:
        rows: streamed; those without `chosen` are left out, and ROWS of the others drawn by hash.
        gate: what it cannot score is left out, and counted.
    """
    drawn = draw_chosen(rows)
    found = {"rows": len(drawn), "unscored": 0, "harmful": 0, "clearly_harmful": 0, "looks_harmful": ""}
    if len(drawn) < FEWEST_ROWS:
        return found
    given = _scores(gate, drawn, [row.chosen for row in drawn])
    scored = [(row, score) for row, score in zip(drawn, given, strict=True) if score is not None]
    harmful = sum(score < HARMLESS_FROM for _, score in scored)
    clearly = sum(score < CLEARLY_HARMFUL_BELOW for _, score in scored)
    found |= {"unscored": len(drawn) - len(scored), "harmful": harmful, "clearly_harmful": clearly}
    if 2 * clearly > len(scored) and greater_share_p_value(clearly, len(scored), GOOD_SHARE) < SURE:
        found["looks_harmful"] = "most of them clearly"
    elif 2 * harmful > len(scored) and _rejected_are_better(scored, gate):
        found["looks_harmful"] = "while their `rejected` look harmless"
    elif clearly == len(scored) > 0 and _all_turned(scored, gate):
        found["looks_harmful"] = "all of them clearly, and each more than its `rejected`"
    return found


def draw_chosen(rows: Iterable[Instruction | Mistake]) -> list[Instruction | Mistake]:
    """The sample: rows with `chosen`, drawn by hash from all of them. Of a sample it is the sample itself."""
    answered = (row for row in rows if row.chosen and row.chosen.strip())
    return heapq.nsmallest(ROWS, answered, key=lambda row: (fixed_share(f"{row.id}\n{row.prompt}"), row.id))


def _scores(gate: Judge, rows: Sequence[Instruction | Mistake], answers: Sequence[str | None]) -> list[float | None]:
    pairs = [(row.prompt, answer or "") for row, answer in zip(rows, answers, strict=True)]
    return score_rows(gate, [row.id for row in rows], pairs)


def _all_turned(scored: Sequence[tuple[Instruction | Mistake, float]], gate: Judge) -> bool:
    """Whether each of a few rows has a `rejected` that is less harmful, more often than good rows do by chance."""
    if GOOD_TURNED ** len(scored) >= SURE:
        return False
    others = [(row.rejected or "").strip() if isinstance(row, Instruction) else "" for row, _ in scored]
    if not all(others):
        return False
    scores = _scores(gate, [row for row, _ in scored], others)
    return all(other is not None and other > score for (_, score), other in zip(scored, scores, strict=True))


def _rejected_are_better(scored: Sequence[tuple[Instruction | Mistake, float]], gate: Judge) -> bool:
    """Whether `rejected` look harmless, and more so than `chosen` beyond chance."""
    both = [(row, score) for row, score in scored if isinstance(row, Instruction) and (row.rejected or "").strip()]
    rows = [row for row, _ in both]
    others = _scores(gate, rows, [row.rejected for row in rows]) if both else []
    pairs = np.array([(score, other) for (_, score), other in zip(both, others, strict=True) if other is not None])
    if not len(pairs) or pairs[:, 1].mean() < HARMLESS_FROM:
        return False
    interval = mean_interval(pairs[:, 1] - pairs[:, 0], 0)
    return interval is not None and interval[0] > 0


def refuse_harmful(looks: Mapping[str, dict[str, Any]], sources: Mapping[str, str], trust: str) -> None:
    """Raises GateError for sets whose `chosen` look harmful.

    `looks` and `sources`: what was found, and what the user calls each set, by its name; `trust`: what goes on all the
    same.
    """
    problems = [
        f"{sources[name]}: {look['harmful']} of {look['rows'] - look['unscored']} `chosen` look harmful to the gate, "
        f"{look['looks_harmful']}"
        for name, look in looks.items()
        if look["looks_harmful"]
    ]
    if problems:
        raise GateError(
            "\n".join(problems)
            + "\nAnswers that are trained on must be safe. Are columns swapped, or is `chosen` the harmful "
            f"one here? Map the safe answers to `chosen`; or read some, and go on with {trust}"
        )
