"""The command tree. Commands, and the libraries that they use, load when they are called: --help answers at once."""

from typing import Annotated

import typer

from amends import __version__
from amends.cli.deferred import Place, group_of


def _names_and_keys() -> str:
    from amends.config.reference import names_and_keys

    return names_and_keys()


COMMANDS = {
    # Options that it does not have are settings without their form: it says what is meant by them.
    "run": Place("amends.cli.run", {"ignore_unknown_options": True}, more=_names_and_keys),
    "data": Place("amends.cli.data"),
    "init": Place("amends.cli.init"),
    "induce": Place("amends.cli.stages"),
    "analyze": Place("amends.cli.stages"),
    "revise": Place("amends.cli.stages"),
    "answer": Place("amends.cli.stages"),
    "contrast": Place("amends.cli.stages"),
    "reply": Place("amends.cli.stages"),
    "chain": Place("amends.cli.stages"),
    "compose": Place("amends.cli.training"),
    "train": Place("amends.cli.training"),
    "respond": Place("amends.cli.evaluate"),
    "judge": Place("amends.cli.evaluate"),
    "compare": Place("amends.cli.evaluate"),
    "prefer": Place("amends.cli.evaluate"),
    "label": Place("amends.cli.labels"),
    "correct": Place("amends.cli.labels"),
    "study": Place("amends.cli.evaluate"),
    "report": Place("amends.cli.show"),
    "serve": Place("amends.cli.serve"),
    "export": Place("amends.cli.export"),
    "push": Place("amends.cli.push"),
    "why": Place("amends.cli.why"),
    "doctor": Place("amends.cli.doctor"),
}
PROBE_COMMANDS = {name: Place("amends.cli.probe") for name in ("train", "tune", "validate")}

app = typer.Typer(
    name="amends",
    cls=group_of(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
probe = typer.Typer(
    cls=group_of(PROBE_COMMANDS),
    help="Train, tune or validate a judge on labelled answers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(probe, name="probe")


@app.callback(invoke_without_command=True, epilog="\b\nExample:\n  amends run quickstart")
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Make a language model safer from its own mistakes."""
    if version:
        typer.echo(f"amends {__version__}")
        raise typer.Exit
