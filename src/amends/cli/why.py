"""`amends why`: what became of one row of a run."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options


def why(
    *,
    directory: Annotated[Path, typer.Argument(help="A run directory, finished or not.")],
    row: Annotated[str, typer.Argument(help="The row's id, in the training sets or in a suite.")],
    seed: Annotated[int | None, typer.Option("--seed", help="Of several seeds; the first by default.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Show texts whole, and harmful ones at all.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what became of one row: guides tried, the gate's reasons, samples, verdicts before and after.

    Long texts are cut, and those that may be harmful are folded, also with --json; --full shows them.

    Example: amends why runs/quickstart redteam-000
    """
    from amends.reporting.tracing import trace

    found = trace(directory, row, seed, full)
    options.show(found.as_json(), as_json, str(found))
