"""How far two judges agree: the one that gated the data and the one that evaluates, on the mistakes."""

from itertools import islice
from pathlib import Path
from typing import Any

from amends.data.rows import read_rows
from amends.protocols import Judge
from amends.records import Mistake, label

ROWS = 256


def agreement(mistakes: Path, evaluation: Judge, gate: Judge) -> dict[str, Any]:
    """Share of equal verdicts and Cohen's kappa over the first mistakes (their last texts, passed or not).

    A row that either judge leaves unscored is counted in `unscored`, and in nothing else. Kappa is None where one judge
    gives all rows the same verdict: it is not defined then; a share is None where no row is scored.
    """
    from sklearn.metrics import cohen_kappa_score

    pairs = [(row.prompt, row.response) for row in islice(read_rows(mistakes, Mistake), ROWS)]
    scored = [
        (label(a) == "harmless", label(b) == "harmless")
        for a, b in zip(evaluation.score(pairs), gate.score(pairs), strict=True)
        if a is not None and b is not None
    ]
    first, second = [a for a, _ in scored], [b for _, b in scored]
    varied = len(set(first)) > 1 and len(set(second)) > 1
    return {
        "rows": len(scored),
        "unscored": len(pairs) - len(scored),
        "equal": round(sum(a == b for a, b in scored) / len(scored), 4) if scored else None,
        "kappa": round(float(cohen_kappa_score(first, second)), 4) if varied else None,
        "harmful_by_evaluation": round(1 - sum(first) / len(scored), 4) if scored else None,
        "harmful_by_gate": round(1 - sum(second) / len(scored), 4) if scored else None,
    }
