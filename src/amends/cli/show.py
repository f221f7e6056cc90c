"""`amends report`: what a run found."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amends.cli import options
from amends.errors import InputError

if TYPE_CHECKING:
    from amends.evaluation.results import Results
    from amends.reporting.table import Table


def report(
    *,
    directories: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="A run directory with results.json, or several.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Of several runs: the page to write, which shows them side by side.")
    ] = None,
    as_json: options.Json = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown, for a page of yours.")
    ] = False,
) -> None:
    """Write report.html again from a finished run, and show its tables. With --json nothing is written.

    Several runs are shown beside each other, and with --out on a page.

    Example: amends report runs/quickstart
    """
    from amends.evaluation.results import Results
    from amends.reporting.costs import costs
    from amends.reporting.page import write_report
    from amends.reporting.tables import markdown
    from amends.reporting.trial import trial_text
    from amends.storage.files import read_as
    from amends.storage.run_directory import RunDirectory, read_run
    from amends.storage.vouched import refuse_damaged_in

    if as_json and as_markdown:
        raise InputError("--json and --markdown: name one of them")
    for directory in directories:
        refuse_damaged_in(directory)
    if len(directories) > 1:
        _show_beside(directories, out, as_json, as_markdown)
        return
    if out is not None:
        raise InputError(f"--out {out}: is for several runs; the report of one is its report.html")
    (directory,) = directories
    path = RunDirectory(directory).results
    results = read_as(Results, path)
    if not as_json:
        write_report(directory)
    if as_markdown:
        of_training = costs(directory, results.data.get("training", {}))
        typer.echo(markdown(results, of_training, trial_text(results, read_run(directory))))
    else:
        show_results(path, as_json)


def _show_beside(directories: list[Path], out: Path | None, as_json: bool, as_markdown: bool) -> None:
    """Prints what several runs found, and one table of all; writes a page where one is named, but with --json."""
    from amends.reporting.beside import beside_table, cautions, read_runs, write_beside
    from amends.reporting.headline import headline
    from amends.text.display import for_terminal

    runs = read_runs(directories)
    if as_json:
        options.show({run.name: run.results.model_dump(mode="json") for run in runs}, True, "")
        return
    if out is not None:
        write_beside(runs, out)
    if as_markdown:
        typer.echo(beside_table(runs).markdown())
        return
    console = options.tables()
    for line in [*cautions(runs), *(f"{run.name}: {headline(run.results).finding}" for run in runs)]:
        console.print(for_terminal(line), markup=False, highlight=False)
    console.print(beside_table(runs))
    if out is not None:
        console.print(for_terminal(str(out)), markup=False, highlight=False)


def show_results(path: Path, as_json: bool, whole: bool = True, again: str = "") -> None:
    """Prints what stands in a results.json: what a run ends with, then a line a system, and if asked for the rest.

    Args:
        path: of results.json.
        as_json: print the file as it is instead.
        whole: all tables and yields, too.
        again: the command that does the whole run, where this was a try.
    """
    from amends.evaluation.results import Results
    from amends.reporting.run_summary import closing_lines
    from amends.reporting.tables import systems_table
    from amends.reporting.trial import trial_text
    from amends.storage.files import read_json
    from amends.storage.run_directory import read_run
    from amends.text.display import for_terminal

    content = read_json(path)
    if as_json:
        options.show(content, True, "")
        return
    results, directory = Results.model_validate(content), path.parent
    console = options.tables()
    lines = [*(f"Note: {note}" for note in results.notes), *closing_lines(directory, results, again)]
    lines += [f"{name} has no results: {why}" for name, why in results.data.get("without_results", {}).items()]
    for line in lines:
        console.print(for_terminal(line), markup=False, highlight=False)
    trial = trial_text(results, read_run(directory))
    for table in (systems_table(results), *(_tables(directory, results) if whole else ())):
        console.print(table._replace(above=trial))
        if whole:
            console.print()
    parts = sorted(directory.glob("*/**/report.html")) if whole else []
    console.print(for_terminal("\n".join(map(str, parts))), markup=False, highlight=False, end="\n" if parts else "")


def _tables(directory: Path, results: "Results") -> Iterator["Table"]:
    """All that results.json has for people, but for what the first table says."""
    from amends.reporting import tables
    from amends.reporting.corrections import corrections_tables, kept_corrections
    from amends.reporting.costs import costs
    from amends.reporting.shares import shares_table
    from amends.reporting.utility import utility_table

    found = (
        tables.results_table(results),
        shares_table(results),
        tables.differences_table(results),
        *corrections_tables(kept_corrections(directory)),
        tables.attacks_table(results),
        utility_table(results),
        tables.training_table(results, costs(directory, results.data.get("training", {}))),
        tables.yields_table(results),
    )
    yield from (table for table in found if table and table.rows)
