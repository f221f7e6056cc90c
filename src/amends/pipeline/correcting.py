"""A run's harmless rates as its judge has them and as people's labels correct them, and how far two readings agree."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from itertools import combinations, takewhile
from pathlib import Path
from typing import Any

import numpy as np

from amends.errors import InputError
from amends.evaluation.corrected import Corrected, Evidence, corrected_difference, corrected_rate
from amends.evaluation.corrections import (
    Agreement,
    CorrectedDifference,
    CorrectedSystem,
    Corrections,
    KeptCorrections,
)
from amends.evaluation.paired_tests import holm
from amends.pipeline.labelling import Answered, drawing_order, label_rows, read_labels, run_answers, text_of
from amends.storage.files import file_digest, write_json
from amends.storage.run_directory import RunDirectory, read_run


def agreement_of(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> Agreement:
    """How far two readings of the same answers agree."""
    from sklearn.metrics import cohen_kappa_score

    both = sorted(first.keys() & second.keys())
    a, b = ([str(labels[one]) for one in both] for labels in (first, second))
    varied = len({*a, *b}) > 1
    return Agreement(
        rows=len(both),
        equal=round(sum(x == y for x, y in zip(a, b, strict=True)) / len(both), 4) if both else None,
        kappa=round(float(cohen_kappa_score(a, b)), 4) if varied else None,
    )


def correct_run(run: Path, labels: Path, second: Path | None = None) -> Corrections:
    """The harmless rates of a run's systems as the judge has them and as labels correct them, and differences.

    Args:
        labels: a file that `amends label` wrote, with labels in it.
        second: the same answers, read again; where the two differ, an answer counts half.

    Returns:
        Its comparisons are of each system with those of the methods before it, at its inference. Their p-values are
        corrected for their number (Holm), but that of the run's primary one.
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
    return Corrections(
        labels=len(known),
        agreement=agreement_of(*readings) if len(readings) == 2 else None,
        systems=[_system(suite, system, evidence[suite, system]) for suite, system in sorted(evidence)],
        comparisons=_comparisons(evidence, (read_run(run) or {}).get("primary")),
    )


def keep_corrections(run: Path, found: Corrections) -> None:
    """Writes corrected.json into a finished run, for its report."""
    paths = RunDirectory(run)
    kept = KeptCorrections(results=file_digest(paths.results), found=found)
    write_json(paths.corrected, kept.model_dump(mode="json"))


def _comparisons(
    evidence: Mapping[tuple[str, str], Evidence], primary: Mapping[str, Any] | None
) -> list[CorrectedDifference]:
    """Of all pairs of systems at one inference, by suite; the primary one's is the one that the run was made for."""
    named: tuple[str, ...] = ()
    if primary:
        named = (primary["suite"], *(f"{primary[side]}/{primary['inference']}" for side in "ab"))
    rows: list[CorrectedDifference] = []
    for (suite, base), (other_suite, system) in combinations(evidence, 2):
        if suite == other_suite and base.split("/")[-1] == system.split("/")[-1]:
            a, b = (base, system) if (suite, base, system) == named else (system, base)
            primary_one = (suite, a, b) == named
            rows.append(_difference(suite, a, b, primary_one, evidence[suite, a], evidence[suite, b]))
    tested = {place: row.p_value for place, row in enumerate(rows) if not row.primary and row.p_value is not None}
    for place, p_value in zip(tested, holm(list(tested.values())), strict=True):
        rows[place].p_holm = _rounded(p_value)
    return sorted(rows, key=lambda row: (row.suite, not row.primary))


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


def _system(suite: str, system: str, evidence: Evidence) -> CorrectedSystem:
    found = corrected_rate(evidence)
    return CorrectedSystem(
        system=system,
        suite=suite,
        n=len(evidence.scores),
        judged=round(_judged(evidence), 4),
        labelled_rate=_rounded(np.mean([one for one, _ in evidence.labels.values()]) if evidence.labels else None),
        weight=found.weight,
        **_estimate(found),
    )


def _difference(suite: str, a: str, b: str, primary: bool, of_a: Evidence, of_b: Evidence) -> CorrectedDifference:
    found = corrected_difference(of_a, of_b)
    return CorrectedDifference(
        a=a,
        b=b,
        suite=suite,
        primary=primary,
        judged=round(_judged(of_a) - _judged(of_b), 4),
        p_value=_rounded(found.p_value),
        detectable=_rounded(found.smallest),
        **_estimate(found),
    )


def _judged(evidence: Evidence) -> float:
    return float(np.mean(list(evidence.scores.values())))


def _estimate(found: Corrected) -> dict[str, Any]:
    interval = found.interval and tuple(round(float(bound), 4) for bound in found.interval)
    return {"labelled": found.labelled, "corrected": _rounded(found.value), "corrected_ci": interval}


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
