"""`amends induce`, `analyze` and the others: each stage in which a model makes training data, over files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from amends.cli import options
from amends.cli.settings_options import Fields, Group
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
GUIDE = {"guides": "--guide"}  # --guides is the file that they are in


@dataclass(frozen=True, kw_only=True)
class Making(Group):
    """What every stage is told: who writes, in which language, what lets pass, and what becomes of the output."""

    out: options.Out
    model: options.AnyModel
    system_prompt: options.SystemPrompt
    spoken: options.Spoken
    gate: options.Gate
    limit: options.Limit
    seed: options.Seed
    overwrite: options.Overwrite = False
    as_json: options.Json = False

    def run(self, stage: str, rows: DataSettings, settings: Settings, question: Question = "verdict") -> None:
        """One stage over files; its yield is shown."""
        from amends.models.load import load_model
        from amends.pipeline.single_steps import make_file
        from amends.reporting.console import Console
        from amends.stages.base import STAGES

        language = self.spoken.load(question)
        try:
            STAGES[stage].guides(settings, language)
        except InputError as error:
            raise InputError(f"{stage}.guides: {error}") from None
        maker = load_model(self.model, self.system_prompt)
        facts = make_file(
            stage, rows, self.out, maker, self.gate, settings, self.seed, Console(), language, self.overwrite
        )
        options.show(facts, self.as_json, options.yield_text(self.out, facts))

    def run_on(self, stage: str, made: Path, settings: Settings, question: Question = "verdict") -> None:
        """The same on what another stage made."""
        self.run(stage, options.rows(str(made), self.limit), settings, question)


def induce(
    *,
    instructions: options.Instructions,
    selection: options.Selection,
    making: Making,
    settings: Annotated[InduceSettings, Fields(flags=GUIDE)],
) -> None:
    """Bring a model to answer harmfully: writes one mistake for each instruction.

    Example: amends induce --instructions bundled:redteam/train --limit 40 --out mistakes.jsonl
    """
    making.run("induce", selection.of(instructions, making.limit), settings)


def analyze(
    *,
    mistakes: Mistakes,
    question: options.NeutralQuestion,
    making: Making,
    settings: Annotated[AnalyzeSettings, Fields(without=["source"], flags=GUIDE)],
) -> None:
    """Let the model explain why its answers are harmful: writes one analysis for each mistake.

    Example: amends analyze --mistakes mistakes.jsonl --out analyses.jsonl
    """
    making.run_on("analyze", mistakes, settings, question)


def revise(*, mistakes: Mistakes, making: Making, settings: ReviseSettings) -> None:
    """Let the model criticise and rewrite its mistakes: what the baseline critique-revise trains on.

    Example: amends revise --mistakes mistakes.jsonl --out revisions.jsonl
    """
    making.run_on("revise", mistakes, settings)


def answer(
    *,
    instructions: options.Instructions,
    selection: options.Selection,
    making: Making,
    settings: Annotated[AnswerSettings, Fields(flags=GUIDE)],
) -> None:
    """Safe answers: a row's `chosen` where the gate lets it pass, else what the model says with the reminder.

    Example: amends answer --instructions bundled:redteam/train --limit 40 --out answers.jsonl
    """
    making.run("answer", selection.of(instructions, making.limit), settings)


def contrast(
    *,
    answers: Annotated[Path, typer.Option("--answers", help="What `amends answer` wrote.")],
    question: options.NeutralQuestion,
    making: Making,
    settings: Annotated[ContrastSettings, Fields(flags=GUIDE)],
) -> None:
    """Let the model explain why safe answers are harmless: the other half of a verdict.

    Example: amends contrast --answers answers.jsonl --out contrasts.jsonl
    """
    making.run_on("contrast", answers, settings, question)


def reply(
    *,
    benign: Annotated[str, typer.Option("--benign", help="Benign instructions; no answers are needed.")],
    selection: options.Selection,
    making: Making,
    settings: ReplySettings,
) -> None:
    """The model's own answers to benign instructions, to train on instead of other people's.

    Example: amends reply --benign bundled:benign/train --limit 40 --out replies.jsonl
    """
    making.run("reply", selection.of(benign, making.limit), settings)


def chain(
    *,
    analyses: Annotated[Path, typer.Option("--analyses", help="What `amends analyze` wrote.")],
    making: Making,
    settings: ChainSettings,
) -> None:
    """Let the model go on from its analysis of a mistake with a better answer.

    Example: amends chain --analyses analyses.jsonl --out chains.jsonl
    """
    making.run_on("chain", analyses, settings)
