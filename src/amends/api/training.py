"""Composing samples and training on them, from Python."""

from pathlib import Path

from amends.api.loading import LoadedModel, Setting, checked, judge_of, model_of, spoken
from amends.judges.base import Judge
from amends.pipeline import in_memory
from amends.pipeline.in_memory import Given
from amends.prompts import Language
from amends.reporting.console import reporter_for
from amends.reporting.notebook_rows import Samples
from amends.training.compose import ComposeSettings
from amends.training.settings import TrainSettings


def compose(
    method: str,
    instructions: Given | None = None,
    *,
    benign: Given | None = None,
    mistakes: Given | None = None,
    analyses: Given | None = None,
    revisions: Given | None = None,
    answers: Given | None = None,
    contrasts: Given | None = None,
    replies: Given | None = None,
    chains: Given | None = None,
    gate: Judge | str = "gate",
    trust_chosen: bool = False,
    language: Language | str = "en",
    progress: bool | None = None,
    **shares: float,
) -> Samples:
    """Makes fine-tuning samples with every hint removed (paper, section 3.3).

    Args:
        method: a row of the comparison that trains, such as `mistake-analysis`.
        instructions: red-team instructions with safe answers.
        benign: ordinary questions with good answers.
        mistakes, analyses, revisions, answers, contrasts, replies, chains: what the stages gave.
        gate: who looks at a sample of `chosen` first.
        trust_chosen: whether to go on where most of that sample look harmful.
        language: of the neutral question, and of the guides that the leak test looks for.
        progress: as of `induce`.
        shares: copies of each kind of sample, such as `benign=0.5`.

    Raises:
        InputError: the method needs rows that are not given.
        GateError: most of a sample of `chosen` look harmful to the gate.
        SampleError: a guide's words stand in a prompt, or no sample came out.

    Example:
        samples = amends.compose("mistake-analysis", rows, analyses=analyses)
    """
    given = {"instructions": instructions, "benign": benign, "mistakes": mistakes, "analyses": analyses}
    given |= {"revisions": revisions, "answers": answers, "contrasts": contrasts, "replies": replies, "chains": chains}
    said, settings = spoken(language), checked(ComposeSettings, shares)
    return in_memory.compose(method, given, judge_of(gate, said), settings, trust_chosen, said, reporter_for(progress))


def train(
    model: LoadedModel | str,
    samples: Given,
    *,
    out: str | Path,
    trainer: str | None = None,
    seed: int = 0,
    language: Language | str = "en",
    overwrite: bool = False,
    progress: bool | None = None,
    **settings: Setting,
) -> LoadedModel:
    """Fine-tunes a model, with loss on completions only; an interrupted training goes on from its last checkpoint.

    Args:
        model: what is trained; with an adapter, that is gone on with.
        samples: what `compose` gave, or its file.
        out: the adapter directory to write (with `adapter="full"` the model's); finished work is not made again.
        trainer: `sft`, `dpo`, `rlhf`, or one that was registered; by default the one of the samples' method.
        seed: equal seeds give equal bytes on one machine.
        language: of control phrases.
        overwrite: whether finished work of other samples or settings may be made anew.
        progress: as of `induce`.
        settings: those of section `train`, such as `epochs` or `max_length` (tokens).

    Raises:
        ConfigError: a setting is not known, or has no such value.
        ModelError: the model cannot be trained, or is not loaded here.
        SampleError: a sample is too long, or carries no loss.
        StoreError: finished work of other settings is in `out`.
        TrainingError: trained weights are no numbers any more.

    Example:
        tuned = amends.train("embedded", samples, out="runs/notebook", epochs=1)
    """
    said, told = spoken(language), checked(TrainSettings, settings)
    reporter = reporter_for(progress)
    trained = in_memory.train(model_of(model), samples, Path(out), trainer, told, seed, said, reporter, overwrite)
    return LoadedModel(trained.model, trained.past)
