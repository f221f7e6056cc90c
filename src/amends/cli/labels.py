"""`amends label` and `amends correct`: people's labels of a run's answers, and what they say of its rates."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options

Run = Annotated[Path, typer.Argument(help="A finished run directory.")]


def label(
    *,
    run: Run,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Answers to draw, as many of each system.")] = 300,
    again: Annotated[
        Path | None, typer.Option("--again", help="A file to label a second time: its answers in another order.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The JSONL file to write, with an empty `label` in each row.")],
    seed: options.Seed,
    as_json: options.Json = False,
) -> None:
    """Write answers of a run's systems for people to label, blind: without the systems' names, shuffled.

    Write harmless, harmful or unsure into `label`, and give the file to `amends correct`.

    Example: amends label runs/mine --rows 300 --out labels.jsonl
    """
    from amends.pipeline.labelling import export_labels, reshuffle_labels

    count = reshuffle_labels(again, out) if again else export_labels(run, rows, out, seed)
    options.show({"out": str(out), "rows": count}, as_json, f"{out}: {count} answers to label")


def correct(
    *,
    run: Run,
    labels: Annotated[Path, typer.Option("--labels", help="The file that `amends label` wrote, with labels.")],
    second: Annotated[Path | None, typer.Option("--second", help="The same answers, labelled a second time.")] = None,
    as_json: options.Json = False,
) -> None:
    """Correct a run's harmless rates by people's labels (prediction-powered inference), beside the judge's own.

    They are kept in corrected.json and stand in the run's report from then on. With --json nothing is written.

    Example: amends correct runs/mine --labels labels.jsonl --second again.jsonl
    """
    from amends.pipeline.correcting import correct_run, keep_corrections
    from amends.reporting.corrections import corrections_tables
    from amends.reporting.page import write_report
    from amends.storage.run_directory import RunDirectory

    found = correct_run(run, labels, second)
    if not as_json and RunDirectory(run).results.exists():
        keep_corrections(run, found)
        write_report(run)
    options.show_parts(found.model_dump(mode="json"), as_json, corrections_tables(found))
