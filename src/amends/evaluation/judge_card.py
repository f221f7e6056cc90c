"""How a judge does on labelled responses, for each source, beside what words of refusal and length alone reach."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from amends.errors import InputError
from amends.evaluation.statistics import CONFIDENCE, Interval, percentile_interval
from amends.judges.probe_training import Labelled
from amends.judges.separation import pairs_of, pairwise_accuracy, rightly_ordered
from amends.prompts import english
from amends.records import HARMLESS_FROM
from amends.text.words import word_count

BINS = 5  # of predicted probability, for calibration


def check_labels(rows: Sequence[Labelled]) -> None:
    """Raises InputError where a source has rows of one label alone: a judge cannot be validated on them."""
    for source in sorted({row.source for row in rows}):
        if len({row.label for row in rows if row.source == source}) < 2:
            raise InputError(f"{source}: all rows have the same label; a judge cannot be validated on them")


def validate_probe(rows: Sequence[Labelled], scores: Sequence[float | None], seed: int = 0) -> dict[str, Any]:
    """The card's figures per source, with 95% bootstrap intervals over prompts.

    AUROC; balanced accuracy at .5, and Youden's J, which is twice that less one; `pairwise_accuracy` on every harmless
    and harmful answer to one prompt, `pairs` in all (None without any); Brier score, calibration. `refusal_words` and
    `length` are what these alone reach on the same rows: a judge that does no better reads nothing else.

    Args:
        rows: labelled responses that the probe never saw.
        scores: the judge's probability of harmless for each.
    """
    return {
        source: _validate_source(
            [(row, score) for row, score in zip(rows, scores, strict=True) if row.source == source], seed
        )
        for source in sorted({row.source for row in rows})
    }


def _validate_source(judged: list[tuple[Labelled, float | None]], seed: int) -> dict[str, Any]:
    scored = [(row, score) for row, score in judged if score is not None]
    labels = np.array([row.label for row, _ in scored])
    scores = np.array([score for _, score in scored])
    if len(set(labels.tolist())) < 2:
        raise InputError(
            f"{judged[0][0].source}: all rows with a score have the same label; a judge cannot be validated on them"
        )
    prompts = sorted({str(row.prompt) for row, _ in scored})
    members = {prompt: [] for prompt in prompts}  # type: dict[str, list[int]]
    for number, (row, _) in enumerate(scored):
        members[str(row.prompt)].append(number)
    generator = np.random.default_rng(seed)
    pairs = pairs_of([row for row, _ in scored])
    place = {prompt: number for number, prompt in enumerate(prompts)}
    of_pair = np.array([place[str(scored[good][0].prompt)] for good, _ in pairs], dtype=int)
    rightly = np.bincount(of_pair, rightly_ordered(pairs, scores), len(prompts))
    pair_counts = np.bincount(of_pair, minlength=len(prompts))
    areas, accuracies, pairwise = [], [], []
    for _ in range(1000):
        drawn = generator.integers(0, len(prompts), len(prompts))
        index = np.concatenate([members[prompts[number]] for number in drawn])
        if len(set(labels[index].tolist())) == 2:
            areas.append(_area(labels[index], scores[index]))
            accuracies.append(_balanced_accuracy(labels[index], scores[index]))
        if (number := pair_counts[drawn].sum()) > 0:
            pairwise.append(float(rightly[drawn].sum() / number))
    balanced = _balanced_accuracy(labels, scores)
    balanced_interval = percentile_interval(accuracies, len(prompts))
    return {
        "rows": len(judged),
        "prompts": len(prompts),
        "unscored": len(judged) - len(scored),
        "harmful_share": round(float(1 - labels.mean()), 4),
        "auroc": round(_area(labels, scores), 4),
        "auroc_ci": _rounded(_area_interval(areas, scored, len(prompts))),
        "balanced_accuracy": round(balanced, 4),
        "balanced_accuracy_ci": _rounded(balanced_interval),
        "youden_j": round(2 * balanced - 1, 4),
        "youden_j_ci": _rounded(balanced_interval and (2 * balanced_interval[0] - 1, 2 * balanced_interval[1] - 1)),
        "pairs": len(pairs),
        "pairwise_accuracy": _share(pairwise_accuracy(pairs, scores)),
        "pairwise_accuracy_ci": _rounded(percentile_interval(pairwise, int((pair_counts > 0).sum()))),
        "brier": round(float(((scores - labels) ** 2).mean()), 4),
        "calibration": _calibration(labels, scores),
        "refusal_words": _refusal_words([row for row, _ in scored], labels, pairs),
        "length": _length([row for row, _ in scored], labels, pairs),
    }


def _area(labels: np.ndarray, scores: np.ndarray) -> float:
    """What scikit-learn's roc_auc_score computes, without its looks at the input: a thousand of those take seconds."""
    from sklearn.metrics import auc, roc_curve

    false_share, true_share, _ = roc_curve(labels, scores)
    return float(auc(false_share, true_share))


def _balanced_accuracy(labels: np.ndarray, scores: np.ndarray) -> float:
    """The mean over both labels of the share that is judged rightly, as scikit-learn's balanced_accuracy_score."""
    right = (scores >= HARMLESS_FROM) == labels
    return float((right[labels == 0].mean() + right[labels == 1].mean()) / 2)


def _refusal_words(rows: Sequence[Labelled], labels: np.ndarray, pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """Of a judge that calls harmless what begins with words of refusal (text/refusal.py), and nothing else."""
    return _alone(np.array([english().is_refusal(row.response) for row in rows], dtype=float), labels, pairs)


def _length(rows: Sequence[Labelled], labels: np.ndarray, pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """Of a judge that counts words. Which way, and where it cuts, is chosen on these very rows, to its advantage."""
    words = np.array([word_count(row.response) for row in rows], dtype=float)
    longer, shorter = (_alone(values, labels, pairs) for values in (words, -words))
    way = "longer" if longer["auroc"] >= shorter["auroc"] else "shorter"
    return {**(longer if way == "longer" else shorter), "harmless": way}


def _alone(values: np.ndarray, labels: np.ndarray, pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """AUROC, J at the best cut and pairwise accuracy of one number a response."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(labels, values)
    return {
        "auroc": round(_area(labels, values), 4),
        "youden_j": round(float((true - false).max()), 4),
        "pairwise_accuracy": _share(pairwise_accuracy(pairs, values)),
    }


def _share(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [round(float(value), 4) for value in interval]


def _area_interval(areas: list[float], scored: Sequence[tuple[Labelled, float]], prompts: int) -> Interval | None:
    """Of resampled areas. Where all are 0 or all 1, as of a few rows, they show no spread: there the exact bound.

    An area a orders m independent pairs of a harmful and a harmless response all rightly with probability a^m.
    """
    first = areas[0]
    if first not in (0, 1) or any(area != first for area in areas):
        return percentile_interval(areas, prompts)
    pairs = min(len({row.prompt for row, _ in scored if row.label == label}) for label in (0, 1))
    bound = (0.5 - CONFIDENCE / 2) ** (1 / pairs)
    return (bound, 1) if first == 1 else (0, 1 - bound)


def _calibration(labels: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Expected calibration error, and per bin of predicted probability its mean, the observed share and the count."""
    table, error = [], 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = (scores >= low) & ((scores < high) | (number == BINS - 1))
        if inside.any():
            predicted, observed = float(scores[inside].mean()), float(labels[inside].mean())
            error += abs(predicted - observed) * float(inside.mean())
            table.append({"predicted": round(predicted, 3), "observed": round(observed, 3), "rows": int(inside.sum())})
    return {"expected_calibration_error": round(error, 4), "bins": table}
