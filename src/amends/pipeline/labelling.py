"""Answers of a run for people to label, blind and shuffled, and what they wrote.

A labelled file is known by its texts alone: neither method, inference nor the judge's verdict is in it.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amends.data.lines import read_objects
from amends.data.rows import NO_TEXT, is_valid_text, read_rows
from amends.errors import InputError
from amends.evaluation.suites.base import SUITE_KINDS
from amends.pipeline.probe_files import refuse_existing
from amends.records import Inference, Response, Verdict
from amends.seeds import derive_seed
from amends.storage.files import write_atomically
from amends.storage.run_directory import RunDirectory, read_run

VALUES = {"harmless": 1.0, "harmful": 0.0, "unsure": None}


@dataclass(frozen=True)
class Answered:
    """One answer of a system. `text` identifies prompt and response, whoever gave it."""

    system: str
    suite: str
    prompt_id: str
    prompt: str
    response: str
    score: float | None

    @property
    def text(self) -> str:
        """Hash of prompt and response."""
        return text_of(self.prompt, self.response)


def text_of(prompt: str, response: str) -> str:
    """Identifies an answer by its texts alone."""
    return hashlib.sha256(json.dumps([prompt, response]).encode()).hexdigest()[:16]


def run_answers(run: Path) -> Iterator[Answered]:
    """The judged answers of all systems of a run, on the suites that ask for harm; of all its seeds.

    Raises InputError where the directory is no run, or an answer has no verdict.
    """
    configuration = read_run(run)
    if configuration is None:
        raise InputError(f"{run}: is no run directory (there is no run.json in it); name what `amends run` wrote")
    suites = [
        name
        for name, suite in configuration["suites"].items()
        if SUITE_KINDS[suite["kind"]].judged and SUITE_KINDS[suite["kind"]].asks_harm
    ]
    files = RunDirectory(run)
    directories = [files.of_seed(seed) for seed in configuration.get("seeds") or []] or [run]
    inferences: list[Inference] = configuration["respond"]["inference"]
    for directory in directories:
        for method in configuration["methods"]:
            for inference in inferences:
                for suite in suites:
                    yield from _answers(RunDirectory(directory), method, inference, suite)


def _answers(files: RunDirectory, method: str, inference: Inference, suite: str) -> Iterator[Answered]:
    responses, verdicts = (files.measured(method, inference, suite, what) for what in ("responses", "verdicts"))
    for path in (responses, verdicts):
        if not path.exists():
            raise InputError(f"{path}: is missing; finish the run first")
    for row, verdict in zip(read_rows(responses, Response), read_rows(verdicts, Verdict), strict=True):
        if row.id != verdict.id:
            raise InputError(f"{verdicts}: {verdict.id!r} is no verdict on {row.id!r}; finish the run again")
        known = {"harmless": 1.0, "harmful": 0.0, "unscored": None}[verdict.verdict]
        score = known if verdict.score is None else verdict.score
        yield Answered(f"{method}/{inference}", suite, row.id, str(row.prompt), row.response, score)


def export_labels(run: Path, rows: int, out: Path, seed: int) -> int:
    """Writes answers of a run to be labelled: as many of each system and suite, without their names, shuffled.

    Equal answers to a prompt are asked about once. Returns how many there are. Raises InputError where `out` exists.
    """
    refuse_existing(out)
    groups: dict[tuple[str, str], dict[str, Answered]] = defaultdict(dict)
    for one in run_answers(run):
        if one.response.strip():
            groups[one.system, one.suite][one.text] = one
    if not groups:
        raise InputError(f"{run}: has no answers to suites that ask for harm; there is nothing to label")
    drawn: dict[str, Answered] = {}
    orders = [(found, drawing_order(found, seed, *name)) for name, found in groups.items()]
    for place in range(max(len(order) for _, order in orders)):
        for found, order in orders:
            if place < len(order) and len(drawn) < rows:
                drawn[order[place]] = found[order[place]]
    lines = [(f"{seed}-{text}", one.prompt, one.response) for text, one in drawn.items()]
    _write_unlabelled(lines, out, "first")
    return len(drawn)


def drawing_order(texts: Iterable[str], seed: int, system: str, suite: str) -> list[str]:
    """In which a system's answers are drawn."""
    return sorted(texts, key=lambda text: derive_seed(seed, "label", system, suite, text))


def reshuffle_labels(labels: Path, out: Path) -> int:
    """Writes the same answers without their labels in another order, for a second reading. Returns how many."""
    refuse_existing(out)
    rows = [(one["id"], one["prompt"], one["response"]) for _, one in label_rows(labels)]
    _write_unlabelled(rows, out, "second")
    return len(rows)


def _write_unlabelled(rows: Sequence[tuple[str, str, str]], out: Path, reading: str) -> None:
    shuffled = sorted(rows, key=lambda row: derive_seed(0, reading, row[0]))
    lines = [dict(zip(("id", "prompt", "response"), row, strict=True), label="") for row in shuffled]
    write_atomically(out, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def read_labels(path: Path) -> dict[str, float | None]:
    """What people wrote, by an answer's text: 1 harmless, 0 harmful, None unsure. Rows without a label are left out.

    Raises InputError naming the line of another word, and where no row has a label.
    """
    labels: dict[str, float | None] = {}
    for place, row in label_rows(path):
        word = str(row.get("label") or "").strip().lower()
        if not word:
            continue
        if word not in VALUES:
            raise InputError(f"{place}: label {word!r}: write {', '.join(VALUES)}, or leave it empty")
        labels[text_of(row["prompt"], row["response"])] = VALUES[word]
    if not labels:
        raise InputError(f"{path}: no row has a label; write harmless, harmful or unsure into `label`")
    return labels


def label_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and values of each row. Raises InputError naming the line of one without id, prompt and response."""
    for raw in read_objects(path):
        texts = {name: raw.values.get(name) for name in ("id", "prompt", "response")}
        if not all(isinstance(one, str) for one in texts.values()):
            raise InputError(f"{raw.place}: needs id, prompt and response, as `amends label` wrote them")
        if broken := [name for name, one in texts.items() if not is_valid_text(one)]:
            raise InputError(f"{raw.place}: column '{broken[0]}' {NO_TEXT}")
        yield raw.place, raw.values
