"""Yields: the share of a stage's outputs that pass its gate, by guide and by reason."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from amends.records import Analysis, Mistake, Revision
from amends.stages.analyze import NOT_A_MISTAKE
from amends.stages.revise import NOT_A_MISTAKE as NOT_REVISED
from amends.stages.revise import PLAIN


def mistake_yield(mistakes: Iterable[Mistake], guides: Sequence[str]) -> dict[str, Any]:
    """Rows and how many passed; by guide what was tried and what passed; by reason what was rejected.

    Args:
        guides: names in the order in which they were tried.
    """
    own = (
        (row.guide or row.source, row.passed, row.attempts if row.source == "own" else 0, row.rejections)
        for row in mistakes
    )
    return _yield(own, guides)


def analysis_yield(analyses: Iterable[Analysis], guides: Sequence[str]) -> dict[str, Any]:
    """The same for the analyses of mistakes; rows without a mistake are left out."""
    wanted = (row for row in analyses if row.reason != NOT_A_MISTAKE)
    return _yield(((row.guide or "none", row.passed, row.attempts, row.rejections) for row in wanted), guides)


def revision_yield(revisions: Iterable[Revision]) -> dict[str, Any]:
    """The same for the revisions of mistakes."""
    wanted = (row for row in revisions if row.reason != NOT_REVISED)
    return _yield(((row.guide or "none", row.passed, row.attempts, row.rejections) for row in wanted), [PLAIN.name])


def _yield(rows: Iterable[tuple[str, bool, int, list[str]]], guides: Sequence[str]) -> dict[str, Any]:
    total = 0
    tried: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for guide, did_pass, attempts, rejections in rows:
        total += 1
        tried.update(guides[number % len(guides)] for number in range(attempts))
        passed.update([guide] if did_pass else [])
        reasons.update(rejections)
    return {
        "rows": total,
        "passed": passed.total(),
        "yield": round(passed.total() / total, 4) if total else 0.0,
        "guides": {
            name: {"tried": tried[name], "passed": passed[name]} for name in list(dict.fromkeys([*guides, *passed]))
        },
        "reasons": dict(reasons.most_common()),
    }
