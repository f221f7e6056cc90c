"""`amends induce`, `analyze` and the others: each stage in which a model makes training data, over files."""

from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.cli.settings_options import Fields
from amends.data.settings import DataSettings
from amends.errors import InputError
from amends.prompts import Question
from amends.settings import Settings
from amends.stages.analyze import AnalyzeSettings
from amends.stages.answer import AnswerSettings
from amends.stages.chain import ChainSettings
from amends.stages.contrast import ContrastSettings
from amends.stages.induce import InduceSettings
from amends.stages.reply import ReplySettings
from amends.stages.revise import ReviseSettings

Mistakes = Annotated[Path, typer.Option("--mistakes", help="What `amends induce` wrote.")]
VERDICT: Question = "verdict"  # of stages that ask none
GUIDE = {"guides": "--guide"}  # --guides is the file that they are in


def induce(
    *,
    instructions: options.Instructions,
    out: options.Out,
    columns: options.Columns = None,
    where: options.Where = None,
    split: options.Split,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    settings: Annotated[InduceSettings, Fields(flags=GUIDE)],
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Bring a model to answer harmfully: writes one mistake for each instruction.

    Example: amends induce --instructions bundled:redteam/train --limit 40 --out mistakes.jsonl
    """
    rows = options.rows(instructions, limit, columns, where, split)
    told = language, guides_file, VERDICT
    _make("induce", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def analyze(
    *,
    mistakes: Mistakes,
    out: options.Out,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    question: options.NeutralQuestion,
    settings: Annotated[AnalyzeSettings, Fields(without=["source"], flags=GUIDE)],
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let the model explain why its answers are harmful: writes one analysis for each mistake.

    Example: amends analyze --mistakes mistakes.jsonl --out analyses.jsonl
    """
    rows = options.rows(str(mistakes), limit)
    told = language, guides_file, question
    _make("analyze", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def revise(
    *,
    mistakes: Mistakes,
    out: options.Out,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    settings: ReviseSettings,
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let the model criticise and rewrite its mistakes: what the baseline critique-revise trains on.

    Example: amends revise --mistakes mistakes.jsonl --out revisions.jsonl
    """
    rows = options.rows(str(mistakes), limit)
    told = language, guides_file, VERDICT
    _make("revise", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def answer(
    *,
    instructions: options.Instructions,
    out: options.Out,
    columns: options.Columns = None,
    where: options.Where = None,
    split: options.Split,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    settings: Annotated[AnswerSettings, Fields(flags=GUIDE)],
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Safe answers: a row's `chosen` where the gate lets it pass, else what the model says with the reminder.

    Example: amends answer --instructions bundled:redteam/train --limit 40 --out answers.jsonl
    """
    rows = options.rows(instructions, limit, columns, where, split)
    told = language, guides_file, VERDICT
    _make("answer", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def contrast(
    *,
    answers: Annotated[Path, typer.Option("--answers", help="What `amends answer` wrote.")],
    out: options.Out,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    question: options.NeutralQuestion,
    settings: Annotated[ContrastSettings, Fields(flags=GUIDE)],
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let the model explain why safe answers are harmless: the other half of a verdict.

    Example: amends contrast --answers answers.jsonl --out contrasts.jsonl
    """
    rows = options.rows(str(answers), limit)
    told = language, guides_file, question
    _make("contrast", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def reply(
    *,
    benign: Annotated[str, typer.Option("--benign", help="Benign instructions; no answers are needed.")],
    out: options.Out,
    columns: options.Columns = None,
    where: options.Where = None,
    split: options.Split,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    settings: ReplySettings,
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """The model's own answers to benign instructions, to train on instead of other people's.

    Example: amends reply --benign bundled:benign/train --limit 40 --out replies.jsonl
    """
    rows = options.rows(benign, limit, columns, where, split)
    told = language, guides_file, VERDICT
    _make("reply", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def chain(
    *,
    analyses: Annotated[Path, typer.Option("--analyses", help="What `amends analyze` wrote.")],
    out: options.Out,
    model: options.AnyModel,
    system_prompt: options.SystemPrompt,
    language: options.LanguageCode,
    guides_file: options.GuidesFile,
    settings: ChainSettings,
    gate: options.Gate,
    limit: options.Limit,
    seed: options.Seed,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Let the model go on from its analysis of a mistake with a better answer.

    Example: amends chain --analyses analyses.jsonl --out chains.jsonl
    """
    rows = options.rows(str(analyses), limit)
    told = language, guides_file, VERDICT
    _make("chain", rows, out, model, system_prompt, told, settings, gate, seed, overwrite, as_json)


def _make(
    stage: str,
    rows: DataSettings,
    out: Path,
    model: str,
    system_prompt: str | None,
    told: tuple[str, Path | None, Question],
    settings: Settings,
    gate: str,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """One stage over files; its yield is shown. `told`: the language, the user's own file of it, the question."""
    from amends.models.load import load_model
    from amends.pipeline.single_steps import make_file
    from amends.reporting.console import Console
    from amends.stages.base import STAGES

    spoken = options.language(*told)
    try:
        STAGES[stage].guides(settings, spoken)
    except InputError as error:
        raise InputError(f"{stage}.guides: {error}") from None
    maker = load_model(model, system_prompt)
    facts = make_file(stage, rows, out, maker, gate, settings, seed, Console(), spoken, overwrite)
    options.show(facts, as_json, options.yield_text(out, facts))
