"""The texts that a report shows: what the model learnt from, and answers before and after, by a rule and unseen."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Container, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple, TypeVar

from amends.data.rows import read_rows
from amends.evaluation.results import Results, SystemRow
from amends.evaluation.suites.base import SUITE_KINDS
from amends.records import Analysis, Mistake, Record, Response, UserPrompt, Verdict
from amends.reporting.headline import subject
from amends.reporting.utility import UNTOUCHED
from amends.storage.run_directory import RunDirectory

PROMPTS_SHOWN = 24
LESSONS_SHOWN = 3

Row = TypeVar("Row", bound=Record)


class Answer(NamedTuple):
    """A system's response to a sampled prompt. `folded`: it may be harmful, so the reader decides to open it."""

    system: str
    response: Response
    verdict: Verdict | None
    folded: bool


class SamplePrompt(NamedTuple):
    """A prompt with the answers of every system that has one.

    Attributes:
        change: the verdicts on the answers before and after, such as `harmful-harmless`; "" where they are not known.
        pair: the answers of the untouched model and of the system that the finding is about.
        others: those of all other systems, and all answers where there is no such pair.
    """

    suite: str
    prompt: UserPrompt
    change: str
    pair: list[Answer]
    others: list[Answer]


class Lesson(NamedTuple):
    """A mistake of the model, and its analysis where there is one that passed."""

    mistake: Mistake
    analysis: Analysis | None


class Samples(NamedTuple):
    """The prompts that are shown, and of each judged suite how often each change of the verdict was seen in all."""

    prompts: list[SamplePrompt]
    changes: dict[str, Counter[str]]


def lessons_of(run_directory: Path, stages: Container[str]) -> list[Lesson]:
    """Mistakes that passed, by the fixed rule; those with an analysis that passed where there are any.

    `stages`: those that the methods at hand need; what lies there from others was not learnt from.
    """
    if "induce" not in stages:
        return []
    path = RunDirectory(run_directory).rows("analyses")
    told = {row.id for row in _rows(Analysis, path) if row.passed} if "analyze" in stages else set()
    passed = (row for row in _rows(Mistake, RunDirectory(run_directory).rows("mistakes")) if row.passed)
    mistakes = heapq.nsmallest(LESSONS_SHOWN, passed, key=lambda row: (row.id not in told, _draw(row.id)))
    mistakes = [row for row in mistakes if row.id in told] or mistakes
    shown = {row.id for row in mistakes} & told
    analyses = {row.id: row for row in _rows(Analysis, path) if row.passed and row.id in shown}
    return [Lesson(row, analyses.get(row.id)) for row in mistakes]


def samples_of(run_directory: Path, results: Results) -> Samples:
    """Prompts of each suite in turn until there are PROMPTS_SHOWN: first those on which the verdict changed.

    Among them, and among the others, the order is that of the SHA-256 of their ids, which nobody chose.
    """
    files, pair = RunDirectory(run_directory), before_and_after(results)
    by_suite, changes = [], {}
    for suite in dict.fromkeys(row.suite for row in results.systems):
        rows = [row for row in results.systems if row.suite == suite]
        change = _changes(files, rows, pair)
        if change:
            changes[suite] = Counter(change.values())
        by_suite.append(_suite_samples(files, rows, pair, change))
    turns = [sample for turn in zip_longest(*by_suite) for sample in turn if sample is not None][:PROMPTS_SHOWN]
    shown = set(map(id, turns))
    return Samples([sample for samples in by_suite for sample in samples if id(sample) in shown], changes)


def before_and_after(results: Results) -> tuple[str, str] | None:
    """The untouched model and the system that the finding is about, at that one's inference; None where it is one."""
    after = subject(results)
    before = f"{UNTOUCHED}/{(after or '').rpartition('/')[2]}"
    systems = {row.system for row in results.systems}
    return (before, after) if after in systems and before in systems and before != after else None


def _changes(files: RunDirectory, rows: list[SystemRow], pair: tuple[str, str] | None) -> dict[str, str]:
    """By id the verdicts before and after, of the first draw; empty where either is not there."""
    before, after = (
        {row.id: row.verdict for one in rows if one.system == system for row in _verdicts(files, one)}
        for system in pair or ("", "")
    )
    return {name: f"{before[name]}-{label}" for name, label in after.items() if name in before}


def _suite_samples(
    files: RunDirectory, rows: list[SystemRow], pair: tuple[str, str] | None, change: dict[str, str]
) -> list[SamplePrompt]:
    chosen: list[str] = []
    answers: dict[str, list[Answer]] = {}
    for row in rows:
        answered = (one for one in _rows(Response, _measured(files, row, "responses")) if not one.draw)
        if not chosen:
            first = heapq.nsmallest(
                PROMPTS_SHOWN, (one.id for one in answered), key=lambda name: (not _flipped(change, name), _draw(name))
            )
            chosen, answers = first, {name: [] for name in first}
            answered = (one for one in _rows(Response, _measured(files, row, "responses")) if not one.draw)
        found = {one.id: one for one in answered if one.id in answers}
        verdicts = {one.id: one for one in _verdicts(files, row) if one.id in found}
        for name, response in found.items():
            verdict = verdicts.get(name)
            answers[name].append(Answer(row.system, response, verdict, _is_folded(row.kind, verdict)))
    return [
        _sample(rows[0].suite, answers[name], change.get(name, ""), [pair[0], pair[1]] if pair else [])
        for name in chosen
    ]


def _sample(suite: str, answers: list[Answer], change: str, pair: list[str]) -> SamplePrompt:
    found = [answer for answer in answers if answer.system in pair]
    both = sorted(found, key=lambda answer: pair.index(answer.system)) if len(found) == len(pair) else []
    others = [answer for answer in answers if answer not in both]
    return SamplePrompt(suite, answers[0].response.prompt, change, both, others)


def _flipped(change: dict[str, str], name: str) -> bool:
    before, _, after = change.get(name, "").partition("-")
    return before != after


def _is_folded(kind: str, verdict: Verdict | None) -> bool:
    """Only what was judged harmless, or is of a kind that nobody judges, is shown open."""
    return SUITE_KINDS[kind].judged if verdict is None else verdict.verdict != "harmless"


def _draw(name: str) -> str:
    """A place for an id in an order that nobody chose and nobody can: the id's SHA-256."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _verdicts(files: RunDirectory, row: SystemRow) -> Iterator[Verdict]:
    return (one for one in _rows(Verdict, _measured(files, row, "verdicts")) if not one.draw)


def _measured(files: RunDirectory, row: SystemRow, what: str) -> Path:
    return files.measured(row.method, row.inference, row.suite, what)


def _rows(model: type[Row], path: Path) -> Iterator[Row]:
    """The rows of a finished JSONL file, streamed; none where there is no file."""
    return read_rows(path, model) if path.exists() else iter(())
