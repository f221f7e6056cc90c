"""What becomes of trained members: how each does on validation prompts, their average, and its calibration."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from amends.judges.classifier import ALL, Calibration, Classifier
from amends.judges.probe_training import Labelled, auroc_by_source
from amends.judges.separation import pairs_of, pairwise_accuracy
from amends.training.classifier.units import weights_of

Figures = dict[str, dict[str, float]]
FEWEST_PAIRS = 20  # of a source, below which they say little
FEWEST_ROWS = 40  # of a source that gets a calibration of its own


def separation(rows: Sequence[Labelled], logits: np.ndarray) -> Figures:
    """By source `auroc`, and where there are enough pairs on one prompt `pairwise`. Raises InputError without any."""
    figures = {source: {"auroc": round(area, 4)} for source, area in auroc_by_source(rows, logits).items()}
    for source, found in figures.items():
        pairs = [pair for pair in pairs_of(rows) if rows[pair[0]].source == source]
        if len(pairs) >= FEWEST_PAIRS:
            found["pairwise"] = round(pairwise_accuracy(pairs, logits) or 0.0, 4)
    return figures


def overall(figures: Figures) -> float:
    """One number: the mean over sources of what is known of each."""
    return float(np.mean([np.mean(list(found.values())) for found in figures.values()]))


def average(members: Sequence[Classifier]) -> Classifier:
    """One classifier whose LoRA and head are the means of the members', which began with the same weights."""
    first = members[0]
    adapter = {
        name: np.mean([one.adapter[name].astype(np.float32) for one in members], axis=0) for name in first.adapter
    }
    weight = np.mean([one.head.weight for one in members], axis=0)
    bias = float(np.mean([one.head.bias for one in members]))
    return replace(first, adapter=adapter, head=replace(first.head, weight=weight, bias=bias))


def best_average(
    members: Sequence[Classifier], figure: Callable[[Classifier], float]
) -> tuple[Classifier, list[int], list[float]]:
    """The average of those members that make it no worse: a greedy soup (Wortsman et al. 2022, section 2).

    Args:
        members: trained ones.
        figure: of a classifier on validation prompts; the higher the better.

    Returns:
        It, the numbers of the members in it, and each member's own figure.
    """
    own = [figure(one) for one in members]
    order = sorted(range(len(members)), key=lambda number: -own[number])
    chosen, best, value = order[:1], members[order[0]], own[order[0]]
    for number in order[1:]:
        tried = average([members[one] for one in [*chosen, number]])
        if (found := figure(tried)) >= value:
            chosen, best, value = [*chosen, number], tried, found
    return best, sorted(chosen), [round(one, 4) for one in own]


def calibrations(rows: Sequence[Labelled], logits: np.ndarray) -> dict[str, Calibration]:
    """By source, and for all, the temperature and shift of the least cross-entropy on validation rows.

    Both labels of a source, and in "all" the sources, weigh alike: .5 stands between labels that are equally frequent.
    Source: Platt 1999; Guo et al. 2017 (arXiv 1706.04599).
    """
    found: Mapping[str, list[int]] = {
        source: [number for number, row in enumerate(rows) if row.source == source]
        for source in sorted({row.source for row in rows})
    }
    both = {source: numbers for source, numbers in found.items() if len({rows[one].label for one in numbers}) == 2}
    result = {ALL: _calibration(rows, logits, list(range(len(rows))))}
    return result | {
        source: _calibration(rows, logits, numbers) for source, numbers in both.items() if len(numbers) >= FEWEST_ROWS
    }


def _calibration(rows: Sequence[Labelled], logits: np.ndarray, numbers: Sequence[int]) -> Calibration:
    from sklearn.linear_model import LogisticRegression

    chosen = [rows[number] for number in numbers]
    model = LogisticRegression(C=1e6, max_iter=1000)
    model.fit(logits[list(numbers), None], [row.label for row in chosen], sample_weight=weights_of(chosen))
    slope, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:  # it orders these rows the wrong way, and is not turned round
        return Calibration()
    return Calibration(round(1 / slope, 6), round(shift, 6))
