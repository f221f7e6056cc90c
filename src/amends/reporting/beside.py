"""Several runs beside each other: one page and one table, with what keeps their numbers from being compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from amends.errors import InputError, StoreError
from amends.evaluation.results import Results
from amends.reporting.differences import Group, forest
from amends.reporting.page import card_of
from amends.reporting.rendering import GENERATOR, write_page
from amends.reporting.share_bars import SuiteBars, share_bars
from amends.reporting.table import Table
from amends.reporting.tables import by_system, headline_columns
from amends.reporting.wording import value_text
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory, read_run


class NamedRun(NamedTuple):
    """A finished run and what it is called beside others."""

    name: str
    directory: Path
    results: Results


def read_runs(directories: Sequence[Path]) -> list[NamedRun]:
    """Finished runs, each called by its directory's name, or where two have the same by its path.

    Raises:
        InputError: one is named twice.
        StoreError: one has no results, or they are damaged.
    """
    places = [directory.resolve() for directory in directories]
    for place, directory in zip(places, directories, strict=True):
        if places.count(place) > 1:
            raise InputError(f"{directory}: is named twice; name each run once")
    names = [place.name for place in places]
    return [
        NamedRun(
            place.name if names.count(place.name) == 1 else str(directory),
            directory,
            read_as(Results, RunDirectory(directory).results),
        )
        for place, directory in zip(places, directories, strict=True)
    ]


def cautions(runs: Sequence[NamedRun]) -> list[str]:
    """What has to be known before a number of one run is held against another's."""
    found = ["No run was tested against another: a difference between two runs has no interval and no p-value here."]
    judges = {_judge(run.results) for run in runs}
    if len(judges) > 1:
        found.append("The runs had different judges, so that their rates cannot be compared.")
    suites = dict.fromkeys(row.suite for run in runs for row in run.results.systems)
    for suite in suites:
        digests = {_digest(run.results, suite) for run in runs} - {None}
        if len(digests) > 1:
            found.append(f"The runs asked different prompts in {suite}, so that its numbers cannot be compared.")
    return found


def beside_table(runs: Sequence[NamedRun]) -> Table:
    """One row for each system of each run, with the headline metrics that any of them has."""
    columns = dict.fromkeys(column for run in runs for column in headline_columns(run.results))
    rows = [
        [run.name, method, inference, *(value_text(found.get(one.suite), one.metric) for one in columns)]
        for run in runs
        for (method, inference), found in by_system(run.results).items()
    ]
    titles = [f"{column.suite}\n{column.title}" for column in columns]
    return Table("Runs beside each other", "[95 % interval]", ["run", "method", "inference"], titles, rows)


def write_beside(runs: Sequence[NamedRun], path: Path) -> Path:
    """Writes a page that shows runs beside each other, and returns its path.

    Raises StoreError where another file than such a page is there, or it cannot be written.
    """
    if path.exists() and not _is_ours(path):
        raise StoreError(f"{path}: is there, and is no report of amends; name another file with --out")
    cards = [(run, card_of(run.directory, run.results, read_run(run.directory))) for run in runs]
    write_page(
        path,
        "beside.html.j2",
        cards=cards,
        cautions=cautions(runs),
        primaries=_primaries(runs),
        suites=_suites(runs),
        table=beside_table(runs),
    )
    return path


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return GENERATOR.encode() in file.read(2_000)
    except OSError:
        return False


def _primaries(runs: Sequence[NamedRun]) -> list[Group]:
    """Each run's primary comparison, under the run's name."""
    return [
        forest(run.results)[0]._replace(title=run.name)
        for run in runs
        if any(row.primary for row in run.results.comparisons)
    ]


def _suites(runs: Sequence[NamedRun]) -> dict[str, list[tuple[str, SuiteBars]]]:
    """By suite the bars of each run that has it."""
    found: dict[str, list[tuple[str, SuiteBars]]] = {}
    for run in runs:
        for one in share_bars(run.results):
            found.setdefault(one.suite, []).append((run.name, one))
    return found


def _judge(results: Results) -> str:
    facts = results.judges.get("evaluation")
    return str(facts.get("name")) if isinstance(facts, dict) else ""


def _digest(results: Results, suite: str) -> str | None:
    sets = results.data.get("sets")
    facts = sets.get(f"suite {suite}") if isinstance(sets, dict) else None
    return str(facts["sha256"]) if isinstance(facts, dict) and "sha256" in facts else None
