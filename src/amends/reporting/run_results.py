"""A finished run as Python sees it: its tables, its adapters, its report."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from amends.errors import InputError, nearest
from amends.evaluation.results import Comparison, Results, SystemRow
from amends.reporting.headline import headline
from amends.reporting.shares import shares_table
from amends.reporting.table import Table
from amends.reporting.tables import comparisons_table, headline_comparisons, results_table
from amends.reporting.trial import trial_text
from amends.storage.files import read_as
from amends.storage.run_directory import RunDirectory, read_run
from amends.text.display import for_terminal

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, repr=False)
class RunResults:
    """What a run directory has as its results.

    Attributes:
        directory: the run directory, whose `report.html` shows everything.
    """

    directory: Path

    @cached_property
    def results(self) -> Results:
        """The content of `results.json`."""
        return read_as(Results, RunDirectory(self.directory).results)

    @property
    def systems(self) -> list[SystemRow]:
        """A row for each method, kind of inference and suite."""
        return self.results.systems

    @property
    def comparisons(self) -> list[Comparison]:
        """What was compared with what."""
        return self.results.comparisons

    @property
    def primary(self) -> Comparison | None:
        """The comparison that was named before the run; None where none was, or it could not be made."""
        return next((row for row in self.comparisons if row.primary), None)

    @property
    def report(self) -> Path:
        """The page that shows the run."""
        return RunDirectory(self.directory).report

    def adapter(self, method: str) -> Path:
        """The directory of what a method trained: a PEFT adapter, or with `train.adapter` full a whole model.

        Of several seeds it is the first one's. Raises InputError where the run trained no such method.
        """
        seeds = self.results.seeds
        files = RunDirectory(RunDirectory(self.directory).of_seed(seeds[0]) if seeds else self.directory)
        for found in (files.trained(method, full) for full in (False, True)):
            if found.is_dir():
                return found
        there = sorted(
            {
                row.method
                for row in self.systems
                if any(files.trained(row.method, full).is_dir() for full in (False, True))
            }
        )
        raise InputError(f"{self.directory}: trained no method {method!r}{nearest(method, there)}")

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with a row for each of `systems`; rates in [0, 1], intervals as pairs."""
        import pandas

        return pandas.DataFrame([row.model_dump(mode="json") for row in self.systems])

    def __repr__(self) -> str:
        """One line."""
        return for_terminal(
            f"{self.directory}: {len(self.systems)} rows of results, {len(self.comparisons)} comparisons"
        )

    def _repr_html_(self) -> str:
        """The main tables and the page's place."""
        notes = "".join(f"<p>{_escaped(f'Note: {note}')}</p>" for note in self.results.notes)
        if trial := trial_text(self.results, read_run(self.directory)):
            notes = f"<p><strong>{_escaped(trial)}</strong></p>{notes}"
        tables = [results_table(self.results)]
        if shares := shares_table(self.results):
            tables.append(shares)
        if self.comparisons:
            notes += f"<p>{_escaped(f'Found: {headline(self.results).text}')}</p>"
            tables.append(comparisons_table(headline_comparisons(self.results)))
        return f"{notes}{''.join(map(_html_table, tables))}<p>{_escaped(self.report)}</p>"


@dataclass(frozen=True, repr=False)
class RunsBeside:
    """Finished runs beside each other.

    Attributes:
        runs: by the names that tell them apart.
        cautions: what keeps their numbers from being compared, a sentence each.
        table: a row for each system of each run.
        page: the page that shows them, where one was written.
    """

    runs: Mapping[str, RunResults]
    cautions: tuple[str, ...]
    table: Table
    page: Path | None

    def to_pandas(self) -> pandas.DataFrame:
        """The frames of all runs below each other; the column `run` has the name."""
        import pandas

        return pandas.concat([one.to_pandas().assign(run=name) for name, one in self.runs.items()], ignore_index=True)

    def __repr__(self) -> str:
        """One line."""
        return for_terminal(f"{len(self.runs)} runs: {', '.join(self.runs)}")

    def _repr_html_(self) -> str:
        """What keeps them from being compared, and the table."""
        return "".join(f"<p>{_escaped(one)}</p>" for one in self.cautions) + _html_table(self.table)


def beside(directories: Sequence[Path], out: Path | None = None) -> RunsBeside:
    """Finished runs beside each other, and on a page where one is named. Raises as `read_runs` and `write_beside`."""
    from amends.reporting.beside import beside_table, cautions, read_runs, write_beside

    runs = read_runs(directories)
    page = write_beside(runs, out) if out else None
    found = {run.name: RunResults(run.directory) for run in runs}
    return RunsBeside(found, tuple(cautions(runs)), beside_table(runs), page)


@dataclass(frozen=True, repr=False)
class StudyResults:
    """What a study found.

    Attributes:
        path: its file, `study.json`.
        facts: the file's content.
        lines: the same in words.
    """

    path: Path
    facts: dict[str, object]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """The findings in words."""
        return for_terminal("\n".join([*self.lines, str(self.path)]))

    def __repr__(self) -> str:
        """The same, so that a notebook's last line shows it."""
        return str(self)


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{_escaped(heading)}</th>" for heading in table.headings)
    rows = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return (
        f"<table><caption>{_escaped(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<p>{_escaped(table.note)}</p>"
    )


def _escaped(value: object) -> str:
    return html.escape(for_terminal(str(value)))
