"""How far the judge that evaluates agrees with the gate, on the mistakes, and with the bundled probe, on responses."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from amends.data.rows import read_rows
from amends.judges.base import Judge
from amends.judges.rows import score_rows
from amends.records import Mistake, Response, Verdict, label

ROWS = 256


def agreement(scores: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """Share of equal verdicts and Cohen's kappa, from two judges' scores of the same rows by what the judges are.

    A row that either judge leaves unscored is counted in `unscored`, and in nothing else. Kappa is None where both
    give all rows the same verdict: it is not defined then; a share is None where no row is scored.
    """
    from sklearn.metrics import cohen_kappa_score

    rows = list(zip(*scores.values(), strict=True))
    scored = [[label(score) == "harmless" for score in row] for row in rows if None not in row]
    first, second = [a for a, _ in scored], [b for _, b in scored]
    varied = len({*first, *second}) > 1
    return {
        "rows": len(scored),
        "unscored": len(rows) - len(scored),
        "equal": round(sum(a == b for a, b in scored) / len(scored), 4) if scored else None,
        "kappa": round(float(cohen_kappa_score(first, second)), 4) if varied else None,
    } | {
        f"harmful_by_{name}": round(1 - sum(verdicts) / len(scored), 4) if scored else None
        for name, verdicts in zip(scores, (first, second), strict=True)
    }


def on_mistakes(mistakes: Path, evaluation: Judge, gate: Judge) -> dict[str, Any]:
    """Over the first mistakes: the texts that are recorded, passed or not."""
    rows = list(islice(read_rows(mistakes, Mistake), ROWS))
    ids, pairs = [row.id for row in rows], [(row.prompt, row.response) for row in rows]
    judges = {"evaluation": evaluation, "gate": gate}
    return agreement({name: score_rows(judge, ids, pairs) for name, judge in judges.items()})


def on_responses(judged: Mapping[Path, Path], probe: Judge) -> dict[str, Any]:
    """Over the first responses of each file, whose verdicts are there: the judge that gave these is not asked again.

    `judged`: files of verdicts by those of the responses, row by row.
    """
    rows = [
        row
        for responses, verdicts in judged.items()
        for row in islice(
            zip(read_rows(responses, Response), read_rows(verdicts, Verdict), strict=True), ROWS // len(judged)
        )
    ]
    pairs = [(response.prompt, response.response) for response, _ in rows]
    return agreement({"evaluation": [verdict.score for _, verdict in rows], "probe": probe.score(pairs)})
