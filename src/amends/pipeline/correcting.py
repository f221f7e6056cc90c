"""A run's harmless rates as its judge has them and as people's labels correct them, and how far two readings agree."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from itertools import combinations, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from amends.errors import InputError
from amends.evaluation.corrected import Evidence, corrected_difference, corrected_rate
from amends.evaluation.paired_tests import holm
from amends.pipeline.labelling import Answered, drawing_order, label_rows, read_labels, run_answers, text_of
from amends.storage.run_directory import read_run


def agreement_of(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> dict[str, Any]:
    """Two readings of the same answers: rows in both, share of equal labels, Cohen's kappa (None where undefined)."""
    from sklearn.metrics import cohen_kappa_score

    both = sorted(first.keys() & second.keys())
    a, b = ([str(labels[one]) for one in both] for labels in (first, second))
    varied = len({*a, *b}) > 1
    return {
        "rows": len(both),
        "equal": round(sum(x == y for x, y in zip(a, b, strict=True)) / len(both), 4) if both else None,
        "kappa": round(float(cohen_kappa_score(a, b)), 4) if varied else None,
    }


def correct_run(run: Path, labels: Path, second: Path | None = None) -> dict[str, Any]:
    """The harmless rates of a run's systems as the judge has them and as labels correct them, and differences.

    Args:
        labels: a file that `amends label` wrote, with labels in it.
        second: the same answers, read again; where the two differ, an answer counts half.

    Returns:
        `systems`, `comparisons` (each system with those of the methods before it, at its inference) with p-values that
        are corrected for their number (Holm) but of the run's primary one, `agreement` of two readings.
    """
    readings = [read_labels(path) for path in (labels, second) if path]
    known: dict[str, float] = {}
    for text in dict.fromkeys(text for reading in readings for text in reading):
        told = [value for reading in readings if (value := reading.get(text)) is not None]
        if told:
            known[text] = float(np.mean(told))
    answers: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for one in run_answers(run):
        answers[one.suite, one.system].append(one)
    if not any(one.text in known for found in answers.values() for one in found):
        raise InputError(f"{labels}: none of its answers is in {run}; name the run that it was written from")
    asked = {text_of(row["prompt"], row["response"]): row["id"].partition("-")[0] for _, row in label_rows(labels)}
    evidence = {
        (suite, system): _evidence(found, known, _drawn(found, asked, system, suite))
        for (suite, system), found in answers.items()
    }
    systems = [
        {"system": system, "suite": suite, **_row(evidence[suite, system])} for suite, system in sorted(evidence)
    ]
    found = agreement_of(*readings) if len(readings) == 2 else None
    comparisons = _comparisons(evidence, (read_run(run) or {}).get("primary"))
    return {"labels": len(known), "agreement": found, "systems": systems, "comparisons": comparisons}


def _comparisons(
    evidence: Mapping[tuple[str, str], Evidence], primary: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Of all pairs of systems at one inference, by suite; the primary one's is the one that the run was made for."""
    named: tuple[str, ...] = ()
    if primary:
        named = (primary["suite"], *(f"{primary[side]}/{primary['inference']}" for side in "ab"))
    rows: list[dict[str, Any]] = []
    for (suite, base), (other_suite, system) in combinations(evidence, 2):
        if suite == other_suite and base.split("/")[-1] == system.split("/")[-1]:
            a, b = (base, system) if (suite, base, system) == named else (system, base)
            told = {"a": a, "b": b, "suite": suite, "primary": (suite, a, b) == named}
            rows.append(told | _difference(evidence[suite, a], evidence[suite, b]))
    others = [row for row in rows if not row["primary"] and row["p_value"] is not None]
    for row, p_value in zip(others, holm([row["p_value"] for row in others]), strict=True):
        row["p_holm"] = _rounded(p_value)
    return sorted(rows, key=lambda row: (row["suite"], not row["primary"]))


def _drawn(answers: Sequence[Answered], asked: Mapping[str, str], system: str, suite: str) -> set[str]:
    """The texts in a file that were drawn for this system, of those that it gave.

    An answer that was drawn for another system and given by this one, too, is no random one of this system's: answers
    that many systems give are of a kind. `asked`: the seeds of the draw by the texts in the file.
    """
    seeds = {seed for seed in asked.values() if seed.isdecimal()}
    if len(seeds) != 1:  # a file from elsewhere
        return set(asked)
    order = drawing_order({one.text for one in answers if one.response.strip()}, int(seeds.pop()), system, suite)
    return set(takewhile(lambda text: text in asked, order))


def _evidence(answers: Sequence[Answered], known: Mapping[str, float], drawn: Container[str]) -> Evidence:
    """By prompt, over draws and seeds; an unscored answer counts as the mean of the others."""
    scored = [one.score for one in answers if one.score is not None]
    mean = float(np.mean(scored)) if scored else 0.5
    scores: dict[str, list[float]] = defaultdict(list)
    labels: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in answers:
        score = mean if one.score is None else one.score
        scores[one.prompt_id].append(score)
        if one.text in known and one.text in drawn:
            labels[one.prompt_id].append((known[one.text], score))
    return Evidence(
        {prompt: float(np.mean(found)) for prompt, found in scores.items()},
        {prompt: (_mean(found, 0), _mean(found, 1)) for prompt, found in labels.items()},
    )


def _mean(pairs: Sequence[tuple[float, float]], side: int) -> float:
    return float(np.mean([pair[side] for pair in pairs]))


def _row(evidence: Evidence) -> dict[str, Any]:
    found = corrected_rate(evidence)
    return {
        "n": len(evidence.scores),
        "judged": round(float(np.mean(list(evidence.scores.values()))), 4),
        "labelled": found.labelled,
        "labelled_rate": _rounded(np.mean([one for one, _ in evidence.labels.values()]) if evidence.labels else None),
        "corrected": _rounded(found.value),
        "corrected_ci": found.interval and [_rounded(bound) for bound in found.interval],
        "weight": found.weight,
    }


def _difference(a: Evidence, b: Evidence) -> dict[str, Any]:
    found = corrected_difference(a, b)
    raw = np.mean(list(a.scores.values())) - np.mean(list(b.scores.values()))
    return {
        "judged": _rounded(raw),
        "labelled": found.labelled,
        "corrected": _rounded(found.value),
        "corrected_ci": found.interval and [_rounded(bound) for bound in found.interval],
        "p_value": _rounded(found.p_value),
        "p_holm": None,
        "detectable": _rounded(found.smallest),
    }


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
