"""Training and validating a probe: `amends probe train` and `amends probe validate`.

Layer and regularisation are chosen by the mean over sources of the AUROC on validation prompts, never on test data.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amends.data.mapping import SAFE_LABELS, UNSAFE_LABELS
from amends.data.normalize import normalize_prompt
from amends.data.rows import read_objects
from amends.errors import InputError
from amends.judges.probe import Extractor, Pooling, Probe
from amends.models.loading import find_model
from amends.protocols import ProgressCallback, no_progress
from amends.records import HARMLESS_FROM
from amends.seeds import fixed_share
from amends.statistics import CONFIDENCE, Interval, percentile_interval

REGULARISATIONS = (3e-4, 1e-3, 3e-3, 1e-2)
VALIDATION_SHARE = 0.2
BINS = 5  # of predicted probability, for calibration


@dataclass(frozen=True)
class Labelled:
    """One labelled response. `label` is 1 for harmless, `source` the file that it came from."""

    prompt: str
    response: str
    label: int
    source: str


def source_name(path: Path) -> str:
    """The file's name without its endings."""
    return path.name.split(".")[0]


def read_labelled(path: Path, split: str | None = None) -> Iterator[Labelled]:
    """Rows `prompt, response, label` (safe/unsafe or harmless/harmful) or pairs `prompt, chosen, rejected`.

    Rows with another label (partial, say) are skipped; `split` keeps the rows with that value in the column `split`.
    Raises InputError naming the line of a row that is neither.
    """
    source = source_name(path)
    for raw in read_objects(path):
        row = raw.values
        if split is not None and row.get("split") != split:
            continue
        verdict = row.get("label")
        found = {"response": verdict in SAFE_LABELS} if "label" in row else {"chosen": True, "rejected": False}
        if "label" in row and verdict not in (*SAFE_LABELS, *UNSAFE_LABELS):
            continue
        if not all(isinstance(row.get(column), str) for column in ("prompt", *found)):
            raise InputError(f"{raw.place}: needs prompt, response and label, or prompt, chosen and rejected, as texts")
        for column, safe in found.items():
            yield Labelled(row["prompt"], row[column], int(safe), source)


def share_of(prompt: str, salt: str) -> float:
    """A number in [0, 1) fixed by a prompt: the same prompt always falls on the same side of a split."""
    return fixed_share(f"{salt}:{normalize_prompt(prompt)}")


def choose_part(rows: Iterable[Labelled], low: float, high: float) -> list[Labelled]:
    """The rows whose prompts' hash falls in [low, high): probes and tests on separate parts share no prompt."""
    return [row for row in rows if low <= share_of(row.prompt, "part") < high]


def train_probe(
    rows: Sequence[Labelled],
    choices: Sequence[tuple[int, ...]],
    pooling: Pooling,
    seed: int = 0,
    progress: ProgressCallback = no_progress,
) -> Probe:
    """The best probe over choices of layers and regularisations, refitted on training and validation rows together.

    Args:
        rows: what to learn from. Sources weigh alike, and so do both labels within a source.
        choices: sets of layers; a probe reads all layers of its set.

    Raises InputError at once where the rows to learn from have one label only.
    """
    if len({row.label for row, out in zip(rows, _held_out(rows), strict=True) if not out}) < 2:
        raise InputError(
            f"{', '.join(sorted({row.source for row in rows}))}: the {len(rows)} rows, less those of the prompts to "
            "validate on, have one label only; give more, and both safe and unsafe ones"
        )
    layers = sorted({layer for choice in choices for layer in choice})
    extractor = Extractor(find_model("embedded"), layers, pooling)
    features = extractor.features([(row.prompt, row.response) for row in rows], progress)
    return fit_probe(rows, features, layers, choices, pooling, seed)


def fit_probe(
    rows: Sequence[Labelled],
    features: np.ndarray,
    layers: Sequence[int],
    choices: Sequence[tuple[int, ...]],
    pooling: Pooling,
    seed: int = 0,
) -> Probe:
    """As `train_probe`, from features [rows, layers, hidden] that are there already."""
    labels = np.array([row.label for row in rows])
    weights = row_weights(rows)
    held_out = _held_out(rows)
    validation = [row for row, out in zip(rows, held_out, strict=True) if out]
    trials = []
    for choice in choices:
        chosen = _of_layers(features, layers, choice)
        for strength in REGULARISATIONS:
            weight, bias = _fit(chosen[~held_out], labels[~held_out], weights[~held_out], strength, seed)
            by_source = auroc_by_source(validation, chosen[held_out] @ weight + bias)
            trials.append((float(np.mean(list(by_source.values()))), choice, strength, by_source))
    score, choice, strength, by_source = max(trials, key=lambda trial: trial[0])
    weight, bias = _fit(_of_layers(features, layers, choice), labels, weights, strength, seed)
    sources = sorted({row.source for row in rows})
    facts = {
        "rows": len(rows),
        "sources": {source: sum(row.source == source for row in rows) for source in sources},
        "regularisation": strength,
        "validation_auroc": round(score, 4),
        "validation_auroc_by_source": {source: round(value, 4) for source, value in by_source.items()},
        "trials": {"+".join(map(str, at)): round(max(t[0] for t in trials if t[1] == at), 4) for at in choices},
    }
    return Probe(weight.reshape(len(choice), -1), bias, choice, pooling, facts)


def _held_out(rows: Sequence[Labelled]) -> np.ndarray:
    """Mask [rows] of those whose prompts are for validation."""
    return np.array([share_of(row.prompt, "validation") < VALIDATION_SHARE for row in rows])


def _of_layers(features: np.ndarray, layers: Sequence[int], choice: tuple[int, ...]) -> np.ndarray:
    """Features [rows, chosen layers x hidden]."""
    return features[:, [list(layers).index(layer) for layer in choice]].reshape(len(features), -1)


def _fit(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, regularisation: float, seed: int
) -> tuple[np.ndarray, float]:
    """Weight and bias in the space of the raw features: the standardisation is folded in."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(0), features.std(0) + 1e-6
    model = LogisticRegression(C=regularisation, max_iter=2000, random_state=seed)
    model.fit((features - mean) / deviation, labels, sample_weight=weights)
    weight = model.coef_[0] / deviation
    return weight, float(model.intercept_[0] - weight @ mean)


def row_weights(rows: Sequence[Labelled]) -> np.ndarray:
    """Weights [rows] of mean 1, with which each source and label counts as much as the others."""
    groups: dict[tuple[str, int], int] = {}
    for row in rows:
        groups[row.source, row.label] = groups.get((row.source, row.label), 0) + 1
    return np.array([len(rows) / (len(groups) * groups[row.source, row.label]) for row in rows])


def auroc_by_source(rows: Sequence[Labelled], logits: np.ndarray) -> dict[str, float]:
    """AUROC of each source that has both labels, from scores [rows]. Raises InputError where none has."""
    from sklearn.metrics import roc_auc_score

    result = {}
    for source in sorted({row.source for row in rows}):
        chosen = np.array([row.source == source for row in rows])
        labels = np.array([row.label for row in rows])[chosen]
        if len(set(labels.tolist())) == 2:
            result[source] = float(roc_auc_score(labels, logits[chosen]))
    if not result:
        raise InputError("no source has both labels among its validation prompts; give more rows")
    return result


def check_labels(rows: Sequence[Labelled]) -> None:
    """Raises InputError where a source has rows of one label alone: a judge cannot be validated on them."""
    for source in sorted({row.source for row in rows}):
        if len({row.label for row in rows if row.source == source}) < 2:
            raise InputError(f"{source}: all rows have the same label; a judge cannot be validated on them")


def validate_probe(rows: Sequence[Labelled], scores: Sequence[float | None], seed: int = 0) -> dict[str, Any]:
    """The card's figures per source: AUROC and balanced accuracy with 95% bootstrap intervals over prompts, calibration.

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
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    scored = [(row, score) for row, score in judged if score is not None]
    labels = np.array([row.label for row, _ in scored])
    scores = np.array([score for _, score in scored])
    if len(set(labels.tolist())) < 2:
        raise InputError(
            f"{judged[0][0].source}: all rows with a score have the same label; a judge cannot be validated on them"
        )
    prompts = sorted({row.prompt for row, _ in scored})
    members = {prompt: [] for prompt in prompts}  # type: dict[str, list[int]]
    for number, (row, _) in enumerate(scored):
        members[row.prompt].append(number)
    generator = np.random.default_rng(seed)
    areas, accuracies = [], []
    for _ in range(1000):
        drawn = generator.integers(0, len(prompts), len(prompts))
        index = np.concatenate([members[prompts[number]] for number in drawn])
        if len(set(labels[index].tolist())) == 2:
            areas.append(roc_auc_score(labels[index], scores[index]))
            accuracies.append(balanced_accuracy_score(labels[index], scores[index] >= HARMLESS_FROM))
    return {
        "rows": len(judged),
        "prompts": len(prompts),
        "unscored": len(judged) - len(scored),
        "harmful_share": round(float(1 - labels.mean()), 4),
        "auroc": round(float(roc_auc_score(labels, scores)), 4),
        "auroc_ci": _rounded(_area_interval(areas, scored, len(prompts))),
        "balanced_accuracy": round(float(balanced_accuracy_score(labels, scores >= HARMLESS_FROM)), 4),
        "balanced_accuracy_ci": _rounded(percentile_interval(accuracies, len(prompts))),
        "calibration": _calibration(labels, scores),
    }


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
