"""The whole tuning: split by prompt, a probe to begin from, members, their average, calibration."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from amends.errors import InputError
from amends.judges.classifier import Classifier
from amends.judges.probe import Extractor, Probe
from amends.judges.probe_training import REGULARISATIONS, VALIDATION_SHARE, Labelled, share_of
from amends.models.source import find_model
from amends.progress import Reporter
from amends.prompts import english
from amends.seeds import derive_seed
from amends.training.classifier.averaging import best_average, calibrations, overall, separation
from amends.training.classifier.counterfactuals import counterfactuals
from amends.training.classifier.member import steps_of, train_member
from amends.training.classifier.network import Start, adapted, learnt
from amends.training.classifier.settings import ClassifierSettings
from amends.training.classifier.units import make_units, weights_of

START_ROWS = 2_000  # that the probe at the beginning learns from: more add minutes and nothing that tuning does not


def tune(
    rows: Sequence[Labelled],
    preferences: Sequence[Labelled],
    settings: ClassifierSettings,
    directory: Path,
    seed: int,
    reporter: Reporter,
) -> Classifier:
    """Tunes a classifier on labelled rows; a fifth of the prompts, by hash, chooses its members and calibrates it.

    The head begins as a linear probe, so that tuning begins with what the frozen model knows (Kumar et al. 2022, arXiv
    2202.10054).

    Args:
        rows: what to learn from. Sources with both labels weigh alike, and so do both labels within them.
        preferences: pairs of rows on one prompt of which only the order is known.
        directory: where the work lies until it is done; called again with equal arguments, it goes on from there.

    Raises:
        InputError: as `split_rows`, and where the model has fewer layers.
        ModelError: the model cannot be tuned.
        TrainingError: weights are no numbers any more.
    """
    learning, validation = split_rows(rows)
    chosen_pairs, _ = _split(preferences)
    source = find_model(settings.model)
    changed = counterfactuals(learning, settings.counterfactuals, english(), seed)
    extractor = Extractor(source, (settings.layers,), "response")
    units = make_units([*learning, *changed], chosen_pairs, extractor.encode)
    start = _start(learning, extractor, directory / "start.safetensors", reporter)
    steps = steps_of(settings, len(units))
    members = []
    for number in range(settings.members):
        path = directory / f"member-{number}.safetensors"
        if not path.exists():
            own_seed = derive_seed(seed, "member", number) % 2**31
            model = adapted(Extractor(source, (settings.layers,), "response").backbone, start, settings, seed)
            with reporter.stage(f"member {number + 1} of {settings.members}", steps, "steps") as progress:
                losses = train_member(model, units, directory / f"member-{number}", settings, own_seed, progress)
            adapter, weight, bias = learnt(model, start)
            head = Probe(weight, bias, (settings.layers,), "response", {"losses": losses})
            scaling = settings.alpha / settings.rank
            _save(Classifier(head, adapter, scaling, settings.model, source.fingerprint()), path)
        members.append(Classifier.load(path))
    known: dict[bytes, np.ndarray] = {}  # by the head, of which no two are equal

    def logits(one: Classifier) -> np.ndarray:
        key = one.head.weight.tobytes()
        if key not in known:
            pairs = [(row.prompt, row.response) for row in validation]
            with reporter.stage("validation", len(pairs)) as progress:
                known[key] = one.head.logits(one.extractor().features(pairs, progress))
        return known[key]

    best, chosen, figures = best_average(members, lambda one: overall(separation(validation, logits(one))))
    facts = {
        **_counts(learning, changed, chosen_pairs, validation),
        "units": len(units),
        "pairs": sum(len(unit) == 2 for unit in units),
        "steps": steps,
        "settings": settings.model_dump(),
        "seed": seed,
        "validation_of_members": figures,
        "members": chosen,
        "validation_by_source": separation(validation, logits(best)),
    }
    return replace(best, head=replace(best.head, facts=facts), calibrations=calibrations(validation, logits(best)))


def split_rows(rows: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """The rows to learn from, and those whose prompts are for validation.

    Raises InputError where either have one label only.
    """
    sides = _split(rows)
    for part, told in zip(sides, ("learn from", "validate on"), strict=True):
        if len({row.label for row in part}) < 2:
            raise InputError(f"the {len(part)} rows to {told} have one label only; give more, safe and unsafe ones")
    return sides


def _split(rows: Sequence[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    sides: tuple[list[Labelled], list[Labelled]] = ([], [])
    for row in rows:
        sides[share_of(row.prompt, "validation") < VALIDATION_SHARE].append(row)
    return sides


def _start(rows: Sequence[Labelled], extractor: Extractor, path: Path, reporter: Reporter) -> Start:
    """A logistic regression on the untouched model's states, on standardised features; kept at `path`."""
    from safetensors.numpy import load_file, save_file
    from sklearn.linear_model import LogisticRegression

    if not path.exists():
        drawn = sorted(rows, key=lambda row: share_of(f"{row.prompt}{row.response}", "start"))[:START_ROWS]
        with reporter.stage("features", len(drawn)) as progress:
            features = extractor.features([(row.prompt, row.response) for row in drawn], progress)[:, 0]
        mean, deviation = features.mean(0), features.std(0) + 1e-6
        model = LogisticRegression(C=REGULARISATIONS[1], max_iter=2000)
        model.fit((features - mean) / deviation, [row.label for row in drawn], sample_weight=weights_of(drawn))
        found = {"mean": mean, "deviation": deviation, "weight": model.coef_[0], "bias": model.intercept_}
        coming = path.with_suffix(f".{os.getpid()}")
        save_file({name: one.astype(np.float32) for name, one in found.items()}, coming)
        coming.replace(path)
    return load_file(path)  # type: ignore[no-any-return]  # the library has no types


def _save(classifier: Classifier, path: Path) -> None:
    """Writes a member, whole or not at all."""
    coming = path.with_suffix(f".{os.getpid()}")
    classifier.save(coming)
    coming.replace(path)


def _counts(
    learning: Sequence[Labelled],
    changed: Sequence[Labelled],
    preferences: Sequence[Labelled],
    validation: Sequence[Labelled],
) -> dict[str, Any]:
    """How many rows of each source there were, for what."""
    parts = {"sources": learning, "preferences": preferences, "validation": validation}
    counts: dict[str, Any] = {
        name: {source: sum(row.source == source for row in part) for source in sorted({row.source for row in part})}
        for name, part in parts.items()
    }
    return {"rows": len(learning), "counterfactuals": len(changed), **counts}
