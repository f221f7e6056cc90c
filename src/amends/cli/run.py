"""`amends run`: a whole experiment from a configuration."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.cli.show import show_results
from amends.config.settings import Configuration
from amends.errors import AmendsError, InputError, closest
from amends.settings.keys import nearest_key


def run(
    *,
    config: Annotated[
        Path, typer.Argument(help="A configuration: a file, or a bundled one's name, such as quickstart.")
    ],
    overrides: Annotated[list[str] | None, typer.Argument(help="key=value, such as train.epochs=3 seed=1.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run directory; runs/NAME by default.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="One seed alone: short for seed=N.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Rows of every set, for a quick try.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what would be done, what it takes and what is refused, and stop.")
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    context: typer.Context,
) -> None:
    """Run a whole experiment: induce, analyze, compose, train, respond, judge, compare, report.

    What is finished is skipped; what an interrupted run left is resumed. A changed setting that touches finished work
    is refused, with what it would cost; --overwrite makes that anew. A model on a server is not trained: the run stops
    at samples, says what to train, and goes on with what serves the result (systems.METHOD).

    Example: amends run quickstart --out runs/quickstart train.epochs=3
    """
    from amends.config.reading import load_configuration
    from amends.pipeline.experiment import run_experiment
    from amends.reporting.console import Console

    _refuse_unknown_options([str(config), *(overrides or [])], context)
    extra = [f"seed={seed}", "seeds=[]"] if seed is not None else []
    configuration = load_configuration(config, [*(overrides or []), *extra], limit)
    directory = out or Path("runs") / config.stem
    if plan:
        _show_plan(configuration, directory, overwrite, as_json)
        return
    results = run_experiment(configuration, directory, Console(), overwrite)
    if isinstance(results, list):
        lines = "\n".join(line for one in results for line in one.lines())
        options.show([one.as_json() for one in results], as_json, lines)
        return
    again = ""
    if configuration.limit and not as_json:
        try:
            again = _whole(configuration, config, [*(overrides or []), *extra], directory)
        except AmendsError as error:  # of rows that the try did not read
            again = f"the whole run would be refused: {error}"
    show_results(results, as_json, whole=False, again=again)


def _whole(tried: Configuration, config: Path, overrides: list[str], directory: Path) -> str:
    """After a try, the command of the whole run, and what that will take here."""
    from amends.config.reading import load_configuration
    from amends.models.endpoint.address import text_without_secrets
    from amends.pipeline.planning import whole_seconds
    from amends.reporting.forecast import duration_text

    settings = [one for one in overrides if not one.startswith("limit=")]
    whole = load_configuration(config, settings)
    if whole.limit:
        settings.append("limit=null")
        whole = load_configuration(config, settings)
    seconds = whole_seconds(whole, tried, directory)
    out = Path("runs") / config.stem
    told = [text_without_secrets(one) for one in settings]
    command = ["amends", "run", str(config), *told, "--out", str(out if out != directory else f"{out}-whole")]
    about = "" if seconds is None else f", about {duration_text(seconds)} on this machine"
    return f"the whole run{about}: {shlex.join(command)}"


def _show_plan(configuration: Configuration, directory: Path, overwrite: bool, as_json: bool) -> None:
    from amends.pipeline.planning import BASIS, plan_experiment

    found = plan_experiment(configuration, directory, overwrite)
    parts = (part for one in found for part in (*one.parts(), ""))
    options.show_parts([one.as_json() for one in found], as_json, (*parts, BASIS))


def _refuse_unknown_options(arguments: list[str], context: typer.Context) -> None:
    """Raises InputError for the first one, with the option or the setting that is meant."""
    unknown = next((one.partition("=")[0] for one in arguments if one.startswith("-")), None)
    if unknown is None:
        return
    named = unknown.lstrip("-")
    known = [name[2:] for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    close = closest(named, known)
    meant = f"; did you mean --{close}?" if close else nearest_key(Configuration, [named.replace("-", "_")])
    raise InputError(f"no such option {unknown}; a setting is written KEY=VALUE, without dashes{meant}")
