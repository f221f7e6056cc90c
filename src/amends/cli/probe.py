"""`amends probe train` and `amends probe validate`: how the bundled judges were made, and how to check them."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options

app = typer.Typer(help="Train or validate a probe judge.", no_args_is_help=True, rich_markup_mode=None)

Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        help="JSONL with prompt, response and label (safe/unsafe), or pairs; FILE:SPLIT for one split. Repeat.",
    ),
]

Part = Annotated[str, typer.Option("--part", help="Only prompts whose hash falls in this range of shares, as 0:0.65.")]


@app.command("train")
def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The probe file to write (safetensors).")],
    layers: Annotated[str, typer.Option("--layers", help="Choices of layers, as in 18,20,14+18+22.")] = "18,14+18+22",
    pooling: Annotated[str, typer.Option("--pooling", help="Mean over `response` or `all` tokens.")] = "response",
    part: Part = "0:1",
    limit: Annotated[int | None, typer.Option("--limit", min=10, help="Rows of each file, drawn by hash.")] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Fit a probe. Layer and regularisation are chosen on validation prompts, never on test data."""
    from amends.cli.console import Console
    from amends.judges.probe_files import train_probe_file

    facts = train_probe_file(data, out, layers, pooling, part, limit, seed, Console())
    options.show(facts, as_json, "\n".join(f"{name:<28} {value}" for name, value in facts.items()))


@app.command("validate")
def validate(
    data: Data,
    judge: options.Judge = "probe",
    part: Part = "0:1",
    limit: Annotated[int | None, typer.Option("--limit", min=10, help="Rows of each file, drawn by hash.")] = None,
    failures: Annotated[Path | None, typer.Option("--failures", help="Write the worst errors here, as JSONL.")] = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Any judge against labels: AUROC and balanced accuracy with intervals, and calibration, for each file."""
    from amends.cli.console import Console
    from amends.judges.probe_files import validate_probe_files

    card = validate_probe_files(data, judge, part, limit, failures, seed, Console())
    lines = [f"{'source':<24}{'rows':>6}{'harmful':>9}{'AUROC':>8}{'95% interval':>18}{'balanced acc.':>15}{'ECE':>7}"]
    for source, row in card.items():
        interval = "–" if row["auroc_ci"] is None else "[{:.3f}, {:.3f}]".format(*row["auroc_ci"])
        error = row["calibration"]["expected_calibration_error"]
        lines.append(
            f"{source:<24}{row['rows']:>6}{row['harmful_share']:>9.2f}{row['auroc']:>8.3f}{interval:>18}"
            f"{row['balanced_accuracy']:>15.3f}{error:>7.3f}"
        )
    options.show(card, as_json, "\n".join(lines))
