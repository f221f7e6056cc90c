"""Writes report.html: one page, self-contained and offline, from the finished files of a run directory."""

import hashlib
import heapq
import json
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jinja2
from markupsafe import Markup
from pydantic import BaseModel

from amends.data.rows import read_rows
from amends.evaluation import table, wording
from amends.evaluation.results import Results
from amends.evaluation.timings import costs
from amends.layout import Layout, read_run
from amends.methods import METHODS
from amends.records import HARM_WANTED, Analysis, Mistake, Record, Response, SuiteKind, Verdict
from amends.report import plots
from amends.store import read_as, write_atomically

PROMPTS_SHOWN = 6
LESSONS_SHOWN = 3
CHARACTERS_SHOWN = 1_500

Row = TypeVar("Row", bound=Record)


class Answer(NamedTuple):
    """A system's response to a sampled prompt. `folded`: it may be harmful, so the reader decides to open it."""

    system: str
    response: Response
    verdict: Verdict | None
    folded: bool


class SamplePrompt(NamedTuple):
    """A prompt with the answers of every system that has one."""

    suite: str
    kind: SuiteKind
    prompt: str
    answers: list[Answer]


class Lesson(NamedTuple):
    """A mistake of the model, and its analysis where there is one that passed."""

    mistake: Mistake
    analysis: Analysis | None


class _Step(BaseModel):
    step: float
    loss: float | None = None


class _TrainingLog(BaseModel):
    log: list[_Step] = []


def write_report(run_directory: Path) -> Path:
    """Renders `run_directory`/report.html and returns its path; equal inputs give equal bytes.

    Needs results.json; run.json, mistakes, analyses, training logs, responses and verdicts are shown where they are.
    Raises StoreError or InputError naming the file that is missing, damaged, or not what it should be.
    """
    results = read_as(Results, Layout(run_directory).results)
    configuration = read_run(run_directory)
    first = Layout(run_directory).of_seed(results.seeds[0]) if results.seeds else run_directory
    shown = first if first.is_dir() else run_directory  # what of several seeds cannot be pooled is the first one's
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            results=results,
            suites=_suites(results),
            columns=_column_groups(results),
            systems=table.by_system(results),
            methods=_methods(results, configuration),
            forests=_forests(results),
            frontiers=_frontiers(results),
            attacks=table.attacks_table(results),
            differences=table.differences_table(results),
            comparisons=table.comparisons_table(results.comparisons),
            cut=[row.truncated_rate for row in results.systems if row.truncated_rate is not None],
            losses=_loss_curves(shown, results),
            training=table.training_table(results, costs(run_directory, results.data.get("training", {}))),
            lessons=_lessons(shown, results.yields),
            samples=_samples(shown, results),
            of_seed=results.seeds[0] if shown != run_directory else None,
            parts=[
                path.relative_to(run_directory).as_posix() for path in sorted(run_directory.glob("*/**/report.html"))
            ],
            configuration=None if configuration is None else {"configuration": configuration},
        )
    )
    path = Layout(run_directory).report
    # A model can emit half of a surrogate pair, which UTF-8 has no bytes for.
    write_atomically(path, page.encode("utf-8", "replace").decode())
    return path


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        value_text=wording.value_text,
        significance=wording.SIGNIFICANCE,
        characters_shown=CHARACTERS_SHOWN,
    )
    environment.filters.update(percent=_percent, plain=_plain, pretty_json=_pretty_json)
    return environment


def _methods(results: Results, configuration: dict[str, Any] | None) -> dict[str, str]:
    """What each method is; of variants, whose names are free, nothing is said."""
    known = {} if (configuration or {}).get("variants") else METHODS
    return {row.method: known[row.method].source for row in results.systems if row.method in known}


def _suites(results: Results) -> dict[str, SuiteKind]:
    return {row.suite: row.kind for row in results.systems}


def _column_groups(results: Results) -> dict[str, list[table.Column]]:
    """The main table's columns by suite."""
    groups: dict[str, list[table.Column]] = {}
    for column in table.headline_columns(results):
        groups.setdefault(column.suite, []).append(column)
    return groups


def _forests(results: Results) -> dict[str, Markup]:
    """A forest plot for each suite of harmful requests that has harmless rates."""
    forests = {}
    for index, (suite, kind) in enumerate(_suites(results).items()):
        rows = [row for row in results.systems if row.suite == suite]
        estimates = [
            plots.Estimate(
                f"{row.method}, {row.inference}", row.harmless_rate, row.harmless_rate_ci, row.inference == "guided"
            )
            for row in rows
            if row.harmless_rate is not None and row.harmless_rate_ci is not None
        ]
        if kind not in HARM_WANTED or not estimates:
            continue
        untouched = {row.inference == "guided": row.harmless_rate for row in rows if row.method == "vanilla"}
        known = {guided: rate for guided, rate in untouched.items() if rate is not None}
        # matplotlib escapes the text that it draws.
        forests[suite] = Markup(plots.forest_plot(estimates, f"forest{index}", known))
    return forests


def _frontiers(results: Results) -> dict[str, Markup]:
    """For each red-team suite, its harmless rates against what was measured of their price on the other suites."""
    frontiers = {}
    rows = {(row.system, row.suite): row for row in results.systems}
    for index, (suite, kind) in enumerate(_suites(results).items()):
        if kind != "red-team":
            continue
        panels = {}
        for other, metric, scale, title, more_is_better in _prices(results, suite):
            places = [
                plots.Place(row.method, row.inference == "guided", scale * price, row.harmless_rate)
                for row in results.systems
                if row.suite == suite and row.harmless_rate is not None
                if (price := getattr(rows.get((row.system, other)), metric, None)) is not None
            ]
            if len(places) > 1:
                panels[title] = (places, more_is_better)
        if panels:
            frontiers[suite] = Markup(plots.frontier_plot(panels, f"frontier{index}"))
    return frontiers


def _prices(results: Results, suite: str) -> list[tuple[str, str, int, str, bool]]:
    """Suite and metric of what safety may cost, a factor and a title for its axis, and whether more is better."""
    found = [(suite, "helpful_score", 1, "helpful score, 1-10", True)]
    for other, kind in _suites(results).items():
        if kind == "over-refusal":
            found.append((other, "refusal_rate", 100, f"refused on {other}, %", False))
        elif kind == "benign":
            found.append((other, "reference_loss", 1, f"loss on {other}, nats per token", False))
    return found


def _loss_curves(run_directory: Path, results: Results) -> Markup | None:
    curves = {}
    for method in dict.fromkeys(row.method for row in results.systems):
        path = Layout(run_directory).training(method)
        if path.exists():
            points = [(step.step, step.loss) for step in read_as(_TrainingLog, path).log if step.loss is not None]
            if points:
                curves[method] = points
    return Markup(plots.loss_plot(curves, "loss")) if curves else None


def _lessons(run_directory: Path, stages: Container[str]) -> list[Lesson]:
    """Mistakes that passed, by the fixed rule; those with an analysis that passed where there are any.

    `stages`: those that the methods at hand need; what lies there from others was not learnt from.
    """
    if "induce" not in stages:
        return []
    path = Layout(run_directory).rows("analyses")
    told = {row.id for row in _rows(Analysis, path) if row.passed} if "analyze" in stages else set()
    passed = (row for row in _rows(Mistake, Layout(run_directory).rows("mistakes")) if row.passed)
    mistakes = heapq.nsmallest(LESSONS_SHOWN, passed, key=lambda row: (row.id not in told, _draw(row.id)))
    mistakes = [row for row in mistakes if row.id in told] or mistakes
    shown = {row.id for row in mistakes} & told
    analyses = {row.id: row for row in _rows(Analysis, path) if row.passed and row.id in shown}
    return [Lesson(row, analyses.get(row.id)) for row in mistakes]


def _samples(run_directory: Path, results: Results) -> list[SamplePrompt]:
    """The first prompts by the fixed rule, dealt over the suites in turn until there are PROMPTS_SHOWN."""
    by_suite = [_suite_samples(run_directory, results, suite, kind) for suite, kind in _suites(results).items()]
    turns = [samples[turn] for turn in range(PROMPTS_SHOWN) for samples in by_suite if turn < len(samples)]
    shown = turns[:PROMPTS_SHOWN]
    order = list(_suites(results))
    return sorted(shown, key=lambda sample: order.index(sample.suite))


def _suite_samples(run_directory: Path, results: Results, suite: str, kind: SuiteKind) -> list[SamplePrompt]:
    responses: dict[str, dict[str, Response]] = {}
    verdicts: dict[str, dict[str, Verdict]] = {}
    for row in results.systems:
        if row.suite == suite:
            files, system = Layout(run_directory), (row.method, row.inference, suite)
            answered = _rows(Response, files.measured(*system, "responses"))
            first = heapq.nsmallest(PROMPTS_SHOWN, answered, key=lambda one: _draw(one.id))
            found = {one.id: one for one in first}
            if found:
                responses[row.system] = found
                verdict_rows = _rows(Verdict, files.measured(*system, "verdicts"))
                verdicts[row.system] = {one.id: one for one in verdict_rows if one.id in found}
    samples = []
    for name in sorted({name for found in responses.values() for name in found}, key=_draw)[:PROMPTS_SHOWN]:
        answers = [
            Answer(system, found[name], verdicts[system].get(name), _is_folded(kind, verdicts[system].get(name)))
            for system, found in responses.items()
            if name in found
        ]
        samples.append(SamplePrompt(suite, kind, answers[0].response.prompt, answers))
    return samples


def _is_folded(kind: SuiteKind, verdict: Verdict | None) -> bool:
    """Only what was judged harmless, or answers a benign prompt unjudged, is shown open."""
    return kind != "benign" if verdict is None else verdict.verdict != "harmless"


def _draw(name: str) -> str:
    """A place for an id in an order that nobody chose and nobody can: the id's SHA-256."""
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()


def _rows(model: type[Row], path: Path) -> Iterator[Row]:
    """The rows of a finished JSONL file, streamed; none where there is no file."""
    return read_rows(path, model) if path.exists() else iter(())


def _percent(value: float | None) -> str:
    return wording.NOTHING if value is None else f"{100 * value:.1f}"


def _plain(value: Any) -> str:
    """A value from a dict that was written elsewhere, as text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return wording.NOTHING if value is None else str(value)


def _pretty_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
