"""`amends compose` and `amends train`: samples of what the stages made, and a training on them."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.cli.settings_options import Fields
from amends.config.methods import METHODS
from amends.training.preference import PreferenceSettings
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS


def compose(
    *,
    method: Annotated[str, typer.Option("--method", help=f"A method that trains, one of {', '.join(METHODS)}.")],
    out: options.Out,
    instructions: Annotated[
        str | None, typer.Option("--instructions", help="Red-team instructions with safe answers.")
    ] = None,
    selection: options.Selection,
    benign: Annotated[str | None, typer.Option("--benign", help="Benign instructions with answers.")] = None,
    benign_columns: Annotated[
        list[str] | None, typer.Option("--benign-columns", metavar="OURS=THEIRS", help="--columns of --benign.")
    ] = None,
    benign_where: Annotated[
        list[str] | None, typer.Option("--benign-where", metavar="COLUMN=VALUE", help="--where of --benign.")
    ] = None,
    benign_split: Annotated[str | None, typer.Option("--benign-split", help="--split of --benign.")] = None,
    mistakes: Annotated[str | None, typer.Option("--mistakes", help="What `amends induce` wrote.")] = None,
    analyses: Annotated[str | None, typer.Option("--analyses", help="What `amends analyze` wrote.")] = None,
    revisions: Annotated[str | None, typer.Option("--revisions", help="What `amends revise` wrote.")] = None,
    answers: Annotated[str | None, typer.Option("--answers", help="What `amends answer` wrote.")] = None,
    contrasts: Annotated[str | None, typer.Option("--contrasts", help="What `amends contrast` wrote.")] = None,
    replies: Annotated[str | None, typer.Option("--replies", help="What `amends reply` wrote.")] = None,
    chains: Annotated[str | None, typer.Option("--chains", help="What `amends chain` wrote.")] = None,
    gate: options.Gate,
    trust_chosen: options.TrustChosen,
    preview: Annotated[
        int, typer.Option("--preview", min=0, help="Show that many samples of each kind, token by token.")
    ] = 0,
    model: options.Model,
    system_prompt: options.SystemPrompt,
    spoken: options.Spoken,
    question: options.NeutralQuestion,
    limit: options.Limit,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Make fine-tuning samples with every hint removed. --preview shows what of each kind carries loss.

    Example: amends compose --method sft --instructions bundled:redteam/train --preview 1 --out samples.jsonl
    """
    from amends.cli.preview import preview_samples
    from amends.models.hf import LocalModel
    from amends.pipeline.single_steps import compose_files
    from amends.reporting.console import Console

    language = spoken.load(question)
    # First, so that an unknown model writes nothing.
    tokenizer = LocalModel(model, system_prompt=system_prompt).tokenizer if preview else None
    made = {"mistakes": mistakes, "analyses": analyses, "revisions": revisions, "answers": answers}
    made |= {"contrasts": contrasts, "replies": replies, "chains": chains}
    sets = {name: options.rows(source, limit) for name, source in made.items() if source}
    if instructions:
        sets["instructions"] = selection.of(instructions, limit)
    if benign:
        sets["benign"] = options.rows(benign, limit, benign_columns, benign_where, benign_split, of="benign-")
    counts = compose_files(method, sets, out, Console(), language, gate, trust_chosen, overwrite)
    total = sum(counts.values())
    options.show(counts, as_json, f"{out}: {total} samples ({', '.join(f'{n} {k}' for k, n in counts.items())})")
    if preview:
        preview_samples(out, tokenizer, preview, language, to_stderr=as_json)


def train(
    *,
    samples: Annotated[Path, typer.Option("--samples", help="What `amends compose` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The adapter (or, with --full, model) directory to write.")],
    model: options.Model,
    system_prompt: options.SystemPrompt,
    spoken: options.Spoken,
    trainer: Annotated[
        str, typer.Option("--trainer", help=f"One of {', '.join(TRAINERS)}; some want preferences.")
    ] = "sft",
    start: Annotated[
        Path | None, typer.Option("--start", help="The adapter (with --full, model) to go on from.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Train all weights instead of a LoRA adapter.")] = False,
    settings: Annotated[TrainSettings, Fields(without=["adapter"])],
    preference: Annotated[PreferenceSettings, Fields(without=TrainSettings.model_fields)],
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Fine-tune on samples: loss on completions only. An interrupted training goes on from its last checkpoint.

    Example: amends train --samples samples.jsonl --epochs 1 --out adapter
    """
    from amends.pipeline.single_steps import train_file
    from amends.reporting.console import Console

    if full:
        settings = settings.model_copy(update={"adapter": "full"})
    facts = train_file(
        samples,
        out,
        model,
        system_prompt,
        trainer,
        start,
        settings,
        seed,
        Console(),
        spoken.load(),
        overwrite,
        preference,
    )
    summary = {key: value for key, value in facts.items() if key not in ("log", "untouched")}
    options.show(facts, as_json, f"{out}: " + ", ".join(f"{key} {value}" for key, value in summary.items()))
