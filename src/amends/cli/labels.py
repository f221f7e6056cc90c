"""`amends label` and `amends correct`: people's labels of a run's answers, and what they say of its rates."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amends.cli import options

if TYPE_CHECKING:
    from amends.reporting.table import Table

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

    Example: amends correct runs/mine --labels labels.jsonl --second again.jsonl
    """
    from amends.pipeline.correcting import correct_run

    found = correct_run(run, labels, second)
    options.show_parts(found, as_json, _parts(found))


def _parts(found: dict[str, Any]) -> Iterator["str | Table"]:
    from amends.reporting.table import Table

    numbers = ["n", "judge %", "labelled", "corrected %", "95 % interval"]
    systems = [[row["system"], row["suite"], str(row["n"]), *_numbers(row)] for row in found["systems"]]
    yield Table("", "", ["system", "suite"], numbers, systems)
    pairs = [
        [
            f"{row['a']} - {row['b']}{' (primary)' if row['primary'] else ''}",
            row["suite"],
            *_numbers(row),
            *_tested(row),
        ]
        for row in found["comparisons"]
    ]
    if pairs:
        note = "p (Holm) is corrected for the number of comparisons but the primary one; found from: the smallest true "
        note += "difference that would have been found 8 times of 10"
        titles = [*numbers[1:], "p", "p (Holm)", "found from"]
        yield Table("Differences, in points", note, ["systems", "suite"], titles, pairs)
    if two := found["agreement"]:
        yield f"two readings of {two['rows']} answers: equal {two['equal']}, kappa {two['kappa']}"


def _tested(row: dict[str, Any]) -> list[str]:
    from amends.reporting.wording import NOTHING, p_value_text

    smallest = row["detectable"]
    return [
        *map(p_value_text, (row["p_value"], row["p_holm"])),
        NOTHING if smallest is None else f"{100 * smallest:.1f}",
    ]


def _numbers(row: dict[str, Any]) -> list[str]:
    interval = row["corrected_ci"]
    shown = "–" if interval is None else "[{:.1f}, {:.1f}]".format(*(100 * bound for bound in interval))
    corrected = "–" if row["corrected"] is None else f"{100 * row['corrected']:.1f}"
    return [f"{100 * row['judged']:.1f}", str(row["labelled"]), corrected, shown]
