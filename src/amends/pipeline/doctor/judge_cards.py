"""What judge and gate know of themselves: how well they told harmful from harmless where that was measured."""

from collections.abc import Mapping
from typing import Any

from amends.judges.base import Judge
from amends.pipeline.doctor.finding import Finding

WEAK = 0.8  # of AUROC: one in five pairs of a harmless and a harmful answer is in the wrong order
VALIDATE = "measure it on labelled answers: amends probe validate --judge NAME --data FILE"
LARGER = "read answers before you believe a small difference, or name a larger judge (docs/guides/choosing_a_judge.md)"


def look_at_judge(what: str, judge: Judge) -> Finding:
    """What a judge's card says of it; of one without figures, how to measure some.

    Args:
        what: it is there for: `judge` or `gate`.
        judge: which one.
    """
    areas = _areas(judge.facts)
    if not areas:
        return Finding(what, "note", f"{judge.name} brings no figures of how often it errs", VALIDATE)
    told = ", ".join(f"{source} {area:.2f}" for source, area in sorted(areas.items()))
    weak = min(areas.values()) < WEAK
    said = f"{judge.name}: AUROC {told}, on sources that it learnt from"
    return Finding(what, "note" if weak else "ok", said, LARGER if weak else "")


def _areas(facts: Mapping[str, Any]) -> dict[str, float]:
    """AUROC on the validation rows of each source, as probes and tuned classifiers write it."""
    of_probe = facts.get("validation_auroc_by_source") or {}
    of_classifier = facts.get("validation_by_source") or {}
    return dict(of_probe) | {source: found["auroc"] for source, found in of_classifier.items()}
