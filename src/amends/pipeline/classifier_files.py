"""Tuning a classifier over files that the user names: whole at its place in the end, resumed where it was stopped."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amends.errors import InputError
from amends.models.source import find_model
from amends.pipeline.probe_files import read_labelled_files, refuse_existing
from amends.progress import Reporter
from amends.storage.files import file_digest, fingerprint
from amends.storage.locks import held
from amends.storage.unfinished import Part
from amends.training.classifier.settings import ClassifierSettings

CODE = 1  # raised when equal rows and settings give another classifier


def tune_classifier_file(
    data: Sequence[str],
    preferences: Sequence[str],
    out: Path,
    settings: ClassifierSettings,
    part: str,
    limit: int | None,
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Tunes a classifier, writes it and returns its facts.

    The work lies in `OUT.part` until then; the same command goes on with it after an interruption.

    Args:
        data: files of labelled answers, `FILE` or `FILE:SPLIT`.
        preferences: files of pairs of which only the order is known.
        part: the range of prompts' hashes, as "0:0.6".
        limit: rows of each file at most; answers to one prompt stay together.

    Raises:
        InputError: the output exists, or rows are missing or have one label.
        StoreError: `OUT.part` is somebody else's.
    """
    from amends.training.classifier.tune import split_rows, tune

    refuse_existing(out)
    rows = read_labelled_files(data, limit, part, whole_prompts=True)
    pairs = read_labelled_files(preferences, limit, part, whole_prompts=True) if preferences else []
    if same := {row.source for row in rows} & {row.source for row in pairs}:
        raise InputError(f"{', '.join(sorted(same))}: is given as labels and as preferences; name it once")
    split_rows(rows)  # before anything is written
    made_from = fingerprint(
        code=CODE,
        rows=[asdict(row) for row in rows],
        preferences=[asdict(row) for row in pairs],
        settings=settings.model_dump(),
        model=find_model(settings.model).fingerprint(),
        seed=seed,
    )
    work = Part(out, made_from)
    with held(out):
        work.refuse_foreign()
        work.claim()
        classifier = tune(rows, pairs, settings, work.path, seed, reporter)
        classifier.head.facts["part"] = part
        classifier.save(work.finished)
        work.put()
        work.discard()
    return {
        "out": str(out),
        "sha256": file_digest(out),
        "megabytes": round(out.stat().st_size / 1e6, 2),
        "calibrations": {name: one._asdict() for name, one in classifier.calibrations.items()},
        **classifier.head.facts,
    }
