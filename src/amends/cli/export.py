"""`amends export`: a merged model with its card, or a run's records for other tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from amends.cli import options
from amends.errors import InputError


def export(
    *,
    run: Annotated[str | None, typer.Argument(help="A run directory; with --adapter a model.")] = None,
    adapter: options.Adapter = None,
    method: Annotated[str | None, typer.Option("--method", help="Of the run: the method that is exported.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The directory to write; it must not exist.")],
    to: Annotated[
        Literal["model", "parquet", "inspect"],
        typer.Option("--to", help="The merged model, the run's records, or its verdicts as logs of Inspect."),
    ] = "model",
    with_reminder: Annotated[
        bool, typer.Option("--with-reminder", help="Put reminder and system prompt into the chat template.")
    ] = False,
    gguf: Annotated[
        bool, typer.Option("--gguf", help="Write a GGUF file, too, with the converter of llama.cpp.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Take a trained model out of amends: merged in bfloat16, with a model card and a check of its answers.

    It is refused where the merged model's log-probabilities differ from the adapter's by more than rounding.

    Example: amends export runs/mine --method mistake-analysis-plus --out exported
    """
    from amends.pipeline.deployment import deployment_of
    from amends.pipeline.exporting import export_logs, export_model, export_records
    from amends.reporting.console import Console

    if to != "model":
        if run is None or adapter or method or with_reminder or gguf:
            raise InputError(f"--to {to}: takes a run directory and --out alone; leave the other options out")
        written = [str(path) for path in (export_records if to == "parquet" else export_logs)(Path(run), out)]
        options.show({"out": str(out), "files": written}, as_json, "\n".join(written))
        return
    parity = export_model(deployment_of(run, adapter, method), out, Console().say, with_reminder, gguf)
    found = {"out": str(out), "rounded": parity.rounded, "moved": parity.moved, "answers": parity.answers}
    options.show(found, as_json, str(out))
