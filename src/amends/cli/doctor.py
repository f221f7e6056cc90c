"""`amends doctor`: what is in the way of a run, before anything is spent."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options


def doctor(
    *,
    config: Annotated[
        Path | None, typer.Argument(help="A configuration that is going to be run: a file, or a bundled one's name.")
    ] = None,
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, as of `amends run`.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the run is going to be written.")] = Path("runs"),
    as_json: options.Json = False,
) -> None:
    """Look at this machine, and at what a configuration needs: a line each, with its remedy. Trains nothing.

    Versions, device, memory, disk space; the chat template there and back, what carries loss, lengths, the judges'
    figures; servers are asked for a short answer. Exit code 1 where something is in the way of a run.

    Example: amends doctor quickstart
    """
    from amends.config.reading import load_configuration
    from amends.pipeline.doctor.diagnosis import diagnose

    found = diagnose(load_configuration(config, overrides) if config else None, out)
    options.show(found.as_json(), as_json, str(found))
    if not found.passed:
        raise typer.Exit(1)
