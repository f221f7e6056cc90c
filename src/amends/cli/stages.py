"""`amends induce`, `analyze`, `revise`, `answer`, `compose` and `train`: each stage alone, over files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from amends.cli import options


def induce(
    instructions: options.Instructions,
    out: options.Out,
    model: options.AnyModel = "embedded",
    system_prompt: options.SystemPrompt = None,
    guide: options.Guides = None,
    attempts: options.Attempts = 8,
    source: Annotated[str, typer.Option("--source", help="own, origin (the rows' `rejected`) or both.")] = "own",
    max_new_tokens: options.NewTokens = 40,
    temperature: options.Temperature = 0.7,
    gate: options.Gate = "gate",
    limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Bring a model to answer harmfully: writes one mistake for each instruction."""
    from amends.cli.console import Console
    from amends.config import InduceSettings
    from amends.models.named import load_generator
    from amends.standalone import make_file

    maker = load_generator(model, system_prompt)
    settings = _settings(
        InduceSettings,
        source=source,
        attempts=attempts,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        guides=guide,
    )
    facts = make_file("induce", instructions, out, maker, gate, settings, limit, seed, Console())
    options.show(facts, as_json, options.yield_text(out, facts))


def analyze(
    mistakes: Annotated[Path, typer.Option("--mistakes", help="What `amends induce` wrote.")],
    out: options.Out,
    model: options.AnyModel = "embedded",
    system_prompt: options.SystemPrompt = None,
    guide: options.Guides = None,
    attempts: options.Attempts = 6,
    max_new_tokens: options.NewTokens = 64,
    temperature: options.Temperature = 0.7,
    gate: options.Gate = "gate",
    limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Let the model explain why its answers are harmful: writes one analysis for each mistake."""
    from amends.cli.console import Console
    from amends.config import AnalyzeSettings
    from amends.models.named import load_generator
    from amends.standalone import make_file

    maker = load_generator(model, system_prompt)
    settings = _settings(
        AnalyzeSettings, attempts=attempts, max_new_tokens=max_new_tokens, temperature=temperature, guides=guide
    )
    facts = make_file("analyze", mistakes, out, maker, gate, settings, limit, seed, Console())
    options.show(facts, as_json, options.yield_text(out, facts))


def revise(
    mistakes: Annotated[Path, typer.Option("--mistakes", help="What `amends induce` wrote.")],
    out: options.Out,
    model: options.AnyModel = "embedded",
    system_prompt: options.SystemPrompt = None,
    attempts: options.Attempts = 6,
    at_least: options.AtLeast = 0.6,
    max_new_tokens: options.NewTokens = 64,
    temperature: options.Temperature = 0.7,
    gate: options.Gate = "gate",
    limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Let the model criticise and rewrite its mistakes: what the baseline critique-revise trains on."""
    from amends.cli.console import Console
    from amends.config import ReviseSettings
    from amends.models.named import load_generator
    from amends.standalone import make_file

    maker = load_generator(model, system_prompt)
    settings = _settings(
        ReviseSettings, attempts=attempts, at_least=at_least, max_new_tokens=max_new_tokens, temperature=temperature
    )
    facts = make_file("revise", mistakes, out, maker, gate, settings, limit, seed, Console())
    options.show(facts, as_json, options.yield_text(out, facts))


def answer(
    instructions: options.Instructions,
    out: options.Out,
    model: options.AnyModel = "embedded",
    system_prompt: options.SystemPrompt = None,
    guide: options.Guides = None,
    attempts: options.Attempts = 6,
    source: Annotated[
        str, typer.Option("--source", help="own, origin (the rows' `chosen`), or both: those where they pass.")
    ] = "both",
    at_least: options.AtLeast = 0.6,
    max_new_tokens: options.NewTokens = 64,
    temperature: options.Temperature = 0.7,
    gate: options.Gate = "gate",
    limit: options.Limit = None,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Safe answers: a row's `chosen` where the gate lets it pass, else what the model says with the reminder."""
    from amends.cli.console import Console
    from amends.config import AnswerSettings
    from amends.models.named import load_generator
    from amends.standalone import make_file

    maker = load_generator(model, system_prompt)
    settings = _settings(
        AnswerSettings,
        source=source,
        attempts=attempts,
        at_least=at_least,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        guides=guide,
    )
    facts = make_file("answer", instructions, out, maker, gate, settings, limit, seed, Console())
    options.show(facts, as_json, options.yield_text(out, facts))


def compose(
    method: Annotated[
        str, typer.Option("--method", help="A method that trains, such as sft, mistake-analysis or dpo.")
    ],
    out: options.Out,
    instructions: Annotated[
        str | None, typer.Option("--instructions", help="Red-team instructions with safe answers.")
    ] = None,
    benign: Annotated[str | None, typer.Option("--benign", help="Benign instructions with answers.")] = None,
    mistakes: Annotated[str | None, typer.Option("--mistakes", help="What `amends induce` wrote.")] = None,
    analyses: Annotated[str | None, typer.Option("--analyses", help="What `amends analyze` wrote.")] = None,
    revisions: Annotated[str | None, typer.Option("--revisions", help="What `amends revise` wrote.")] = None,
    answers: Annotated[str | None, typer.Option("--answers", help="What `amends answer` wrote.")] = None,
    preview: Annotated[int, typer.Option("--preview", min=0, help="Show that many samples, token by token.")] = 0,
    model: options.Model = "embedded",
    system_prompt: options.SystemPrompt = None,
    limit: options.Limit = None,
    as_json: options.Json = False,
) -> None:
    """Make fine-tuning samples with every hint removed. --preview shows which tokens carry loss."""
    from amends.cli.console import Console
    from amends.models.local import LocalModel
    from amends.standalone import compose_files, preview_samples

    # First, so that an unknown model writes nothing.
    tokenizer = LocalModel(model, system_prompt=system_prompt).tokenizer if preview else None
    sources = {
        "instructions": instructions,
        "benign": benign,
        "mistakes": mistakes,
        "analyses": analyses,
        "revisions": revisions,
        "answers": answers,
    }
    counts = compose_files(method, sources, out, limit, Console())
    total = sum(counts.values())
    options.show(counts, as_json, f"{out}: {total} samples ({', '.join(f'{n} {k}' for k, n in counts.items())})")
    if preview:
        preview_samples(out, tokenizer, preview, to_stderr=as_json)


def train(
    samples: Annotated[Path, typer.Option("--samples", help="What `amends compose` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="The adapter (or, with --full, model) directory to write.")],
    model: options.Model = "embedded",
    system_prompt: options.SystemPrompt = None,
    trainer: Annotated[str, typer.Option("--trainer", help="sft; dpo or rlhf for preferences.")] = "sft",
    start: Annotated[
        Path | None, typer.Option("--start", help="The adapter (with --full, model) to go on from.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Train all weights instead of a LoRA adapter.")] = False,
    epochs: Annotated[float, typer.Option("--epochs", min=0.01)] = 2.0,
    max_steps: Annotated[int | None, typer.Option("--max-steps", min=1, help="Stop after that many steps.")] = None,
    max_tokens: Annotated[int | None, typer.Option("--max-tokens", min=1, help="Stop after so many tokens.")] = None,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=0)] = 5e-4,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Samples a batch.")] = 16,
    gradient_accumulation: Annotated[int, typer.Option("--gradient-accumulation", min=1, help="Batches a step.")] = 1,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, more time.")
    ] = False,
    max_length: Annotated[int, typer.Option("--max-length", min=8, help="Tokens; longer samples are refused.")] = 1024,
    save_steps: Annotated[int, typer.Option("--save-steps", min=1, help="Steps between checkpoints.")] = 25,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Fine-tune on samples: loss on completions only. An interrupted training goes on from its last checkpoint."""
    from amends.cli.console import Console
    from amends.config import TrainSettings
    from amends.standalone import train_file

    settings = _settings(
        TrainSettings,
        adapter="full" if full else "lora",
        epochs=epochs,
        max_steps=max_steps,
        max_tokens=max_tokens,
        learning_rate=learning_rate,
        batch_size=batch_size,
        gradient_accumulation=gradient_accumulation,
        gradient_checkpointing=gradient_checkpointing,
        max_length=max_length,
        save_steps=save_steps,
    )
    facts = train_file(samples, out, model, system_prompt, trainer, start, settings, seed, Console())
    summary = {key: value for key, value in facts.items() if key != "log"}
    options.show(facts, as_json, f"{out}: " + ", ".join(f"{key} {value}" for key, value in summary.items()))


def _settings(kind: Any, **values: Any) -> Any:
    """Settings from options, checked as in a configuration; options that were not given keep the default."""
    from amends.config_file import checked_settings

    return checked_settings(kind, {key: value for key, value in values.items() if value is not None})
