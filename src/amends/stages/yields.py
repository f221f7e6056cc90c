"""Yields: the share of a stage's outputs that pass its gate, by guide and by reason."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from amends.records import Made
from amends.stages.attempts import NOT_A_MISTAKE


def stage_yield(rows: Iterable[Made], guides: Sequence[str]) -> dict[str, Any]:
    """Rows and how many passed; by guide (or origin) what was tried and what passed; by reason what was rejected.

    Rows that were not tried, since there was no mistake to work on, are left out.

    Args:
        guides: names in the order in which they were tried.
    """
    total = 0
    tried: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in rows:
        if row.reason == NOT_A_MISTAKE:
            continue
        total += 1
        tried.update(guides[number % len(guides)] for number in range(row.attempts))
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
