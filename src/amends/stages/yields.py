"""Yields: the share of a stage's outputs that pass its gate, by guide and by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from amends.records import Made
from amends.stages.attempts import NOT_TRIED, in_turn


def stage_yield(rows: Iterable[Made], guides: Sequence[str], vary: bool = False) -> dict[str, Any]:
    """Rows and how many passed; by guide (or origin) what was tried and what passed; by reason what was rejected.

    Rows that were not tried, since there was nothing to work on, are left out.

    Args:
        guides: names in the order in which they were tried.
        vary: whether each row began with another.
    """
    total = 0
    tried: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in rows:
        if row.reason in NOT_TRIED:
            continue
        total += 1
        tried.update(islice(in_turn(guides, row.id, vary), row.attempts))
        tried["origin"] += len(row.rejections) + row.passed - row.attempts  # the model was asked for all the others
        passed.update([row.guide or row.source] if row.passed else [])
        reasons.update(row.rejections)
    return {
        "rows": total,
        "passed": passed.total(),
        "yield": round(passed.total() / total, 4) if total else 0.0,
        "guides": {
            name: {"tried": tried[name], "passed": passed[name]}
            for name in dict.fromkeys([*guides, *(name for name, count in tried.items() if count)])
        },
        "reasons": dict(reasons.most_common()),
    }


def yield_line(name: str, facts: Mapping[str, Any]) -> str:
    """A stage's yield in a line, for the terminal: rows that passed, and by guide what passed of what was tried.

    Example:
        >>> yield_line("mistakes", {"rows": 2, "passed": 1, "guides": {"plain": {"tried": 3, "passed": 1}}})
        'mistakes: 1 of 2 passed (plain 1 of 3)'
    """
    guides = ", ".join(
        f"{guide} {counts['passed']} of {counts['tried']}"
        for guide, counts in facts["guides"].items()
        if counts["tried"]
    )
    return f"{name}: {facts['passed']} of {facts['rows']} passed" + (f" ({guides})" if guides else "")
