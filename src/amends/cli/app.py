"""The command tree. Heavy libraries load inside the commands, so that --help answers at once."""

from typing import Annotated

import typer

from amends import __version__
from amends.cli import evaluate, probe, run, stages

app = typer.Typer(
    name="amends",
    help="Make a language model safer from its own mistakes.\n\nStart with: amends run configs/quickstart.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Make a language model safer from its own mistakes.

    Start with: amends run configs/quickstart.yaml
    """
    if version:
        typer.echo(f"amends {__version__}")
        raise typer.Exit


app.command("run")(run.run)
app.command("induce")(stages.induce)
app.command("analyze")(stages.analyze)
app.command("revise")(stages.revise)
app.command("answer")(stages.answer)
app.command("compose")(stages.compose)
app.command("train")(stages.train)
app.command("respond")(evaluate.respond)
app.command("judge")(evaluate.judge)
app.command("compare")(evaluate.compare)
app.command("prefer")(evaluate.prefer)
app.command("study")(evaluate.study)
app.command("report")(run.report)
app.command("doctor")(run.doctor)
app.add_typer(probe.app, name="probe")
