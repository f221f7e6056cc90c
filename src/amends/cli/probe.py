"""`amends probe train`, `tune` and `validate`: how the bundled judges were made, and how to check them."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.training.classifier.settings import ClassifierSettings

Data = Annotated[
    list[str],
    typer.Option(
        "--data",
        help="JSONL with prompt, response and label (safe/unsafe), or pairs; FILE:SPLIT for one split. Repeat.",
    ),
]

Part = Annotated[str, typer.Option("--part", help="Only prompts whose hash falls in this range of shares, as 0:0.65.")]


def train(
    *,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="The probe file to write (safetensors).")],
    layers: Annotated[str, typer.Option("--layers", help="Choices of layers, as in 18,20,14+18+22.")] = "18,14+18+22",
    pooling: Annotated[str, typer.Option("--pooling", help="Mean over `response` or `all` tokens.")] = "response",
    part: Part = "0:1",
    limit: Annotated[int | None, typer.Option("--limit", min=10, help="Rows of each file, drawn by hash.")] = None,
    seed: options.Seed,
    as_json: options.Json = False,
) -> None:
    """Fit a probe. Layer and regularisation are chosen on validation prompts, never on test data.

    Example: amends probe train --data labels.jsonl --out probe.safetensors
    """
    from amends.pipeline.probe_files import train_probe_file
    from amends.reporting.console import Console

    facts = train_probe_file(data, out, layers, pooling, part, limit, seed, Console())
    options.show(facts, as_json, "\n".join(f"{name:<28} {value}" for name, value in facts.items()))


def tune(
    *,
    data: Data,
    preferences: Annotated[
        list[str] | None,
        typer.Option("--preferences", help="Pairs of which only the better one is known. FILE:SPLIT too. Repeat."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The classifier file to write (safetensors).")],
    settings: ClassifierSettings,
    part: Part = "0:1",
    limit: Annotated[int | None, typer.Option("--limit", min=10, help="Rows of each file, drawn by hash.")] = None,
    seed: options.Seed,
    as_json: options.Json = False,
) -> None:
    """Fine-tune the model itself with a LoRA and a probe's head: a classifier that judges as `classifier:FILE`.

    An interrupted command goes on when it is given again. It takes hours on two cores where a probe takes minutes.

    Example: amends probe tune --data labels.jsonl --data bundled:answers --out reader.safetensors
    """
    from amends.pipeline.classifier_files import tune_classifier_file
    from amends.reporting.console import Console

    facts = tune_classifier_file(data, preferences or [], out, settings, part, limit, seed, Console())
    options.show(facts, as_json, "\n".join(f"{name:<28} {value}" for name, value in facts.items()))


def validate(
    *,
    data: Data,
    judge: options.Judge,
    part: Part = "0:1",
    limit: Annotated[int | None, typer.Option("--limit", min=10, help="Rows of each file, drawn by hash.")] = None,
    failures: Annotated[Path | None, typer.Option("--failures", help="Write the worst errors here, as JSONL.")] = None,
    seed: options.Seed,
    as_json: options.Json = False,
) -> None:
    """Any judge against labels, for each file, beside what words of refusal and what length alone reach there.

    Pairwise accuracy is of a harmless and a harmful answer to one prompt, J is Youden's at .5, ECE the calibration
    error. Length gets its best cut on these very rows, the judge none.

    Example: amends probe validate --data labels.jsonl --judge probe
    """
    from amends.pipeline.probe_files import validate_probe_files
    from amends.reporting.console import Console
    from amends.reporting.judge_card import card_table

    card = validate_probe_files(data, judge, part, limit, failures, seed, Console())
    options.show_parts(card, as_json, [card_table(card)])
