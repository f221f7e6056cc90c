"""Training and validating a probe: `amends probe train` and `amends probe validate`.

Layer and regularisation are chosen by the mean over sources of the AUROC on validation prompts, never on test data.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amends.data.layouts import PUBLIC
from amends.data.layouts.base import plain_row
from amends.data.layouts.evidence import decide
from amends.data.layouts.general import prompt_in
from amends.data.layouts.labels import Reading, read_label, verdict_of
from amends.data.lines import read_objects
from amends.data.rows import NO_TEXT, is_valid_text
from amends.errors import InputError
from amends.judges.probe import Extractor, Pooling, Probe
from amends.models.source import find_model
from amends.progress import ProgressCallback, no_progress
from amends.records import Conversation, UserPrompt
from amends.seeds import fixed_share
from amends.text.display import shortened
from amends.text.normalized import normalize_prompt

REGULARISATIONS = (3e-4, 1e-3, 3e-3, 1e-2)
VALIDATION_SHARE = 0.2
SHOWN = 40  # characters of a label


@dataclass(frozen=True)
class Labelled:
    """One labelled response. `label` is 1 for harmless, `source` the file that it came from."""

    prompt: UserPrompt
    response: str
    label: int
    source: str


def source_name(path: Path) -> str:
    """The file's name without its endings."""
    return path.name.split(".")[0]


def read_labelled(path: Path, split: str | None = None, others: Counter[str] | None = None) -> Iterator[Labelled]:
    """Rows `prompt, response, label`, pairs `prompt, chosen, rejected`, or rows of a public set that labels answers.

    Labels are read by the table of `data.layouts.labels`, and rows with another one (partial, say) are skipped; they
    are counted in `others`, by their label. `split` keeps the rows with that value in the column `split`. Raises
    InputError naming the line of a row of no such form.
    """
    source = source_name(path)
    for raw in read_objects(path):
        row = raw.values
        if split is not None and row.get("split") != split:
            continue
        try:
            found = _labelled_answers(row)
        except InputError as error:
            raise InputError(f"{raw.place}: {error}") from None
        if not all(isinstance(prompt, str | Conversation) and isinstance(answer, str) for prompt, answer, _ in found):
            raise InputError(f"{raw.place}: needs prompt, response and label, or prompt, chosen and rejected, as texts")
        if not all(is_valid_text(text) for prompt, answer, _ in found for text in (prompt, answer)):
            raise InputError(f"{raw.place}: {NO_TEXT}")
        if not found and others is not None:
            others[shortened(str(row["label"]), SHOWN) if "label" in row else "no clear one"] += 1
        for prompt, answer, safe in found:
            yield Labelled(prompt, answer, int(safe), source)


def _labelled_answers(row: dict[str, Any]) -> list[tuple[Any, Any, bool]]:
    """Prompt, answer and whether it is safe, of each answer that the row labels."""
    plain = plain_row(row)
    layout = next((layout for layout in PUBLIC if layout.recognises(plain)), None)
    if layout is not None:
        fields = decide(layout.convert(plain), layout, plain)
        answers = [(fields.prompt, fields.chosen, True), (fields.prompt, fields.rejected, False)]
        return [answer for answer in answers if answer[1] is not None]
    prompt = prompt_in(row.get("prompt"))
    if "label" not in row:
        return [(prompt, row.get("chosen"), True), (prompt, row.get("rejected"), False)]
    reading = read_label("label", row["label"])
    verdict = Reading.UNCERTAIN if reading is None else verdict_of([reading], None)
    return [] if verdict is Reading.UNCERTAIN else [(prompt, row.get("response"), verdict is Reading.SAFE)]


def share_of(prompt: UserPrompt, salt: str) -> float:
    """A number in [0, 1) fixed by a prompt: the same prompt always falls on the same side of a split."""
    return fixed_share(f"{salt}:{normalize_prompt(str(prompt))}")


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
