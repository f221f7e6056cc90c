"""A single step over files that a user names: what it refuses before it begins, and what it gives back."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from amends.config.methods import METHODS
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import InputError
from amends.evaluation.chosen import FEWEST_ROWS, LOOK, SETS, draw_chosen, look_at_chosen, refuse_harmful
from amends.evaluation.respond import RespondSettings, answering_guide
from amends.judges.base import Judge
from amends.judges.load import load_judge
from amends.models.adapters import base_remarks, check_fit
from amends.models.base import Model
from amends.models.load import load_local_model
from amends.models.source import find_model
from amends.pipeline.cards import write_card_of_training
from amends.pipeline.sets import count, set_rows
from amends.pipeline.steps import Steps
from amends.progress import Reporter
from amends.prompts import Language
from amends.prompts.fitting import check_guides
from amends.prompts.unread import refuse_unread
from amends.records import Verdict
from amends.seeds import derive_seed
from amends.settings import Settings
from amends.stages.base import STAGES
from amends.training.compose import ComposeSettings
from amends.training.preference import PreferenceSettings
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS, processes_of


def make_file(
    stage: str,
    rows: DataSettings,
    out: Path,
    maker: Model,
    gate: str,
    settings: Any,
    seed: int,
    reporter: Reporter,
    language: Language,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Writes what a stage makes of a set of rows, and returns its yield."""
    _refuse_unread(STAGES[stage].reads, rows, language)
    check_guides({"--guide": (STAGES[stage].guides(settings, language), maker)})
    judge = load_judge(gate, language)
    for remark in judge.remarks(language):
        reporter.say(remark)
    steps = Steps(seed, reporter, overwrite=overwrite, language=language)
    return steps.make(stage, rows, out, maker, judge, settings, judge.check)


def _refuse_unread(name: str, rows: DataSettings, language: Language) -> None:
    """Refuses rows of one of the sets that samples are made of in a script that the language does not read."""
    refuse_unread((row.prompt for row in set_rows(name, rows)), language, rows.source)


def compose_files(
    method: str,
    sets: Mapping[str, DataSettings],
    out: Path,
    reporter: Reporter,
    language: Language,
    gate: str = "gate",
    trust_chosen: bool = False,
    overwrite: bool = False,
) -> dict[str, int]:
    """Writes samples and returns how many there are of each kind. `sets`: what is read, by name.

    Raises GateError where most of a sample of `chosen` look harmful to the gate, unless they are trusted.
    """
    known = METHODS[method]
    judge = load_judge(gate, language)

    def check(used: Mapping[str, DataSettings]) -> None:
        given = {name: rows for name, rows in used.items() if name in SETS}
        for name in given:
            if name != "benign":  # which no guide was near
                _refuse_unread(name, used[name], language)
        others = {name: rows for name, rows in used.items() if name not in given}
        for name, rows in others.items():
            count(set_rows(name, rows))  # refuses bad rows before the gate loads
        if not trust_chosen:
            read = {name: set_rows(name, rows) for name, rows in given.items()}
            refuse_harmful_chosen(read, {name: rows.source for name, rows in given.items()}, judge, reporter)
        for name, rows in others.items():
            _refuse_unread(name, rows, language)

    steps = Steps(0, reporter, overwrite=overwrite, language=language)
    return steps.compose(known, sets, out, ComposeSettings(), check)


def refuse_harmful_chosen(
    sets: Mapping[str, Iterable[Any]],
    sources: Mapping[str, str],
    gate: Judge,
    reporter: Reporter,
    trust: str = "--trust-chosen",
) -> None:
    """Raises GateError where most of a sample of a set's `chosen` look harmful to the gate.

    `sources`: what the user calls each set, by its name; `trust`: what goes on all the same.
    """
    drawn = {name: draw_chosen(rows) for name, rows in sets.items()}
    if any(len(rows) >= FEWEST_ROWS for rows in drawn.values()):
        with reporter.stage(LOOK, None):
            looks = {name: look_at_chosen(rows, gate) for name, rows in drawn.items()}
        gate.release()
        refuse_harmful(looks, sources, trust)


def train_file(
    samples: Path,
    out: Path,
    model: str,
    system_prompt: str | None,
    kind: str,
    start: Path | None,
    settings: TrainSettings,
    seed: int,
    reporter: Reporter,
    language: Language,
    overwrite: bool = False,
    own: Settings | None = None,
) -> dict[str, Any]:
    """Writes an adapter or model and returns the training's facts. `own`: what single trainers are told."""
    trainer = TRAINERS[kind]
    load_local_model(model, system_prompt)  # refused where its weights are elsewhere
    if start and settings.adapter == "full":
        find_model(str(start))
    elif start:
        check_fit(find_model(model), start)
        for remark in base_remarks(start, find_model(model)):
            reporter.say(remark)
    recipe = Recipe(
        model,
        settings,
        own=own or PreferenceSettings(),
        seed=derive_seed(seed, "train"),
        start=start,
        system_prompt=system_prompt,
        language=language,
    )
    if refusal := trainer.refusal(settings, recipe.told(trainer.settings)):
        raise InputError(refusal)
    processes_of(settings, trainer)
    recipe.check([trainer.check])
    facts = Steps(seed, reporter, overwrite=overwrite).train("training", samples, out, kind, recipe)
    write_card_of_training(out, kind, recipe, samples, facts["samples"])
    return facts


def respond_file(
    rows: DataSettings,
    out: Path,
    system: Model,
    guided: bool,
    settings: RespondSettings,
    seed: int,
    reporter: Reporter,
    language: Language,
    overwrite: bool = False,
) -> int:
    """Writes responses and returns how many there are."""
    if guided:
        _refuse_unread("instructions", rows, language)
    asked = answering_guide(settings, guided, language)
    check_guides({"--guided": ([asked], system)})
    for remark in system.remarks():
        reporter.say(remark)
    steps = Steps(seed, reporter, overwrite=overwrite, language=language)
    steps.respond("responses", rows, out, system, asked, settings.sampling(), settings.draws)
    with out.open("rb") as lines:
        return sum(1 for _ in lines)


def judge_file(
    responses: Path,
    out: Path,
    judge: str,
    limit: int | None,
    reporter: Reporter,
    language: Language,
    overwrite: bool = False,
) -> dict[str, int]:
    """Writes verdicts and returns how many there are of each."""
    judging = load_judge(judge, language)
    for remark in judging.remarks(language):
        reporter.say(remark)
    steps = Steps(0, reporter, overwrite=overwrite, language=language)
    steps.judge("verdicts", responses, out, judging, limit, judging.check)
    counts = {"harmless": 0, "harmful": 0, "unscored": 0}
    for row in read_rows(out, Verdict):
        counts[row.verdict] += 1
    return counts
