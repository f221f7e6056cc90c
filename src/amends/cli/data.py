"""`amends data`: what amends understands of a set of rows, before anything is spent on it."""

from typing import Annotated

import typer

from amends.cli import options


def data(
    *,
    source: Annotated[str, typer.Argument(help="A file, a 'PATTERN', a directory, bundled:NAME/SPLIT or a hub id.")],
    selection: options.Selection,
    limit: options.Limit,
    gate: options.Gate,
    spoken: options.Spoken,
    unfold: Annotated[bool, typer.Option("--unfold", help="Show harmful texts, too.")] = False,
    as_json: options.Json = False,
) -> None:
    """Show what is understood of a set of rows: layout, columns, licence, lengths, what the gate says of `chosen`.

    Example: amends data bundled:redteam/train --limit 40
    """
    from amends.judges.load import load_judge
    from amends.pipeline import data_summary

    rows = selection.of(source, limit)
    found, chosen = data_summary.look_at_data(rows, load_judge(gate, spoken.load()))
    shown = () if as_json else data_summary.parts(source, found, chosen, unfold)
    options.show_parts(data_summary.as_json(found, chosen, unfold), as_json, shown)
