"""`amends run`, `amends report` and `amends doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options

COMPARISONS_SHOWN = 40


def run(
    config: Annotated[Path, typer.Argument(help="A configuration, such as configs/quickstart.yaml.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, such as train.epochs=3 seed=1.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run directory; runs/NAME by default.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="One seed alone: short for seed=N.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Rows of every set, for a quick try.")] = None,
    as_json: options.Json = False,
) -> None:
    """Run a whole experiment: induce, analyze, compose, train, respond, judge, compare, report.

    What is finished is skipped; what an interrupted run left is resumed; what a changed setting touches is made anew.
    """
    from amends.cli.console import Console
    from amends.config_file import load_configuration
    from amends.experiments import run_experiment

    extra = [f"seed={seed}", "seeds=[]"] if seed is not None else []
    configuration = load_configuration(config, [*(overrides or []), *extra], limit)
    directory = out or Path("runs") / config.stem
    _show_results(run_experiment(configuration, directory, Console()), as_json)


def report(
    directory: Annotated[Path, typer.Argument(help="A run directory with results.json.")],
    as_json: options.Json = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables as Markdown, for a page of yours.")
    ] = False,
) -> None:
    """Write report.html again from a finished run, and show its tables."""
    from amends.errors import InputError
    from amends.evaluation.results import Results
    from amends.evaluation.table import markdown
    from amends.evaluation.timings import costs
    from amends.layout import Layout
    from amends.report.render import write_report
    from amends.store import read_as

    if as_json and as_markdown:
        raise InputError("--json and --markdown: name one of them")
    write_report(directory)
    path = Layout(directory).results
    if as_markdown:
        results = read_as(Results, path)
        typer.echo(markdown(results, costs(directory, results.data.get("training", {}))))
    else:
        _show_results(path, as_json)


def _show_results(path: Path, as_json: bool) -> None:
    from amends.evaluation.results import Results
    from amends.evaluation.table import (
        attacks_table,
        comparisons_table,
        differences_table,
        headline_comparisons,
        results_table,
        training_table,
    )
    from amends.evaluation.timings import costs
    from amends.store import read_json

    content = read_json(path)
    if as_json:
        options.show(content, True, "")
        return
    results = Results.model_validate(content)
    console = options.tables()
    console.print(results_table(results).as_rich())
    if results.comparisons:
        shown = headline_comparisons(results)
        few = len(shown) <= COMPARISONS_SHOWN
        console.print((comparisons_table(shown) if few else differences_table(results)).as_rich())
        console.print(
            f"All {len(results.comparisons)} comparisons are in results.json and in the report.", highlight=False
        )
    for table in (
        attacks_table(results),
        training_table(results, costs(path.parent, results.data.get("training", {}))),
    ):
        if table:
            console.print(table.as_rich())
    if results.yields and results.seeds:
        console.print(f"Yields of seed {results.seeds[0]}:", highlight=False)
    for stage, facts in results.yields.items():
        console.print(options.yield_text(Path(stage), facts), markup=False, highlight=False)
    for name, why in results.data.get("without_results", {}).items():
        console.print(f"{name} has no results: {why}", markup=False, highlight=False)
    reports = [path.with_name("report.html"), *sorted(path.parent.glob("*/**/report.html"))]
    files = [str(one) for one in (path, *reports) if one.exists()]
    console.print("\n" + "\n".join(files), markup=False, highlight=False)


def doctor(as_json: options.Json = False) -> None:
    """Show what amends runs on here: versions, hardware, precision, the embedded model, free space."""
    import importlib.metadata
    import platform
    import shutil

    from amends import __version__
    from amends.errors import ModelError
    from amends.models.embedded import embedded_gguf
    from amends.models.loading import best_device, best_dtype, hardware
    from amends.store import cache_directory

    device = best_device()
    try:
        embedded = str(embedded_gguf())
    except ModelError as error:
        embedded = str(error)
    facts = {
        "amends": __version__,
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("torch", "transformers", "trl", "peft")},
        **hardware(device),
        "device": device,
        "precision": str(best_dtype(device)).removeprefix("torch."),
        "embedded model": embedded,
        "cache": str(cache_directory()),
        "free space here": f"{shutil.disk_usage('.').free / 1e9:.1f} GB",
    }
    options.show(facts, as_json, "\n".join(f"{name:<18} {value}" for name, value in facts.items()))
