"""The plan of a run: its configuration resolved once, with every refusal that can be made before anything is done."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amends.config.estimate import Estimate, Rows, estimate
from amends.config.methods import METHODS, stages_for
from amends.config.problems import Problems
from amends.config.served import begun_refusals, refusals, served
from amends.config.settings import Configuration
from amends.config.training_data import TrainingData
from amends.data.settings import DataSettings
from amends.data.sources import check_disjoint, load_instructions, source_files
from amends.errors import InputError
from amends.evaluation.respond import answering_guide
from amends.evaluation.suites.base import SUITE_KINDS
from amends.judges.base import Judge
from amends.judges.load import load_judge
from amends.models.base import SHORT, Model
from amends.models.hf import LocalModel
from amends.models.load import load_model, weights_here
from amends.prompts import Guide, Language, load_language
from amends.prompts.fitting import check_conversations, check_guides
from amends.prompts.unread import refuse_unread
from amends.records import Instruction, said_in
from amends.seeds import derive_seed
from amends.stages.base import STAGES
from amends.text.scripts import unread_script
from amends.training.recipe import Recipe
from amends.training.trainers.base import TRAINERS, processes_of

ReadSet = Callable[[str], Iterable[Instruction]]
"""Gives the rows of a set by its key: `instructions`, `benign`, `suites.NAME`."""


@dataclass(frozen=True)
class Plan:
    """What a configuration stands for. No model is loaded before it is asked.

    Attributes:
        language: what models are asked in, and texts are read by.
        base: the model that is made safer.
        systems: what serves the results of methods that are trained elsewhere, by method.
        analyst: who writes the analyses; often the same.
        judge, gate: of the systems, and of what they are trained on.
    """

    configuration: Configuration
    language: Language
    base: Model
    systems: dict[str, Model]
    analyst: Model
    judge: Judge
    gate: Judge

    @classmethod
    def of(cls, configuration: Configuration) -> "Plan":
        """Finds everything that a configuration names. Raises what cannot be found, all of it at once."""
        problems, source = Problems(), configuration.analyze.source
        language = load_language(configuration.language, configuration.guides).asking(configuration.question)
        base = problems.given(lambda: load_model(configuration.model, configuration.system_prompt))
        systems = problems.given(lambda: served(configuration))
        analyst = base if source == "self" else problems.given(lambda: load_model(source))
        judge = problems.given(lambda: load_judge(configuration.judge, language))
        gate = problems.given(lambda: load_judge(configuration.gate, language))
        for key, rows in sets_of(configuration).items():
            with problems.noted(f"{key}.source"):
                source_files(rows.source, rows.split)
        for refusal in refusals(configuration, base, systems or {}) if base else ():
            problems.note(refusal)
        problems.refuse()
        assert base and systems is not None and analyst and judge and gate
        return cls(configuration, language, base, systems, analyst, judge, gate)

    @property
    def weights(self) -> LocalModel | None:
        """The model where it can be trained here; None of one that is asked elsewhere."""
        return weights_here(self.base)

    @property
    def models(self) -> list[Model]:
        """All who are asked, each once."""
        return list(dict.fromkeys((self.base, self.analyst, *self.systems.values())))

    @property
    def training_data(self) -> TrainingData:
        """What the methods are trained on."""
        return TrainingData(self.configuration, self.language)

    def maker(self, stage: str) -> Model:
        """Who is asked in a stage."""
        return self.analyst if STAGES[stage].guided_by == "analyze" else self.base

    def recipe(self, start: Path | None = None) -> Recipe:
        """How methods are trained, from the model on or from what another method made of it."""
        return Recipe(
            model=self.configuration.model,
            train=self.configuration.train,
            own=self.configuration.preference,
            seed=derive_seed(self.configuration.seed, "train"),
            start=start,
            system_prompt=self.configuration.system_prompt,
            language=self.language,
        )

    def check(self) -> None:
        """Refuses what would otherwise be found out after hours, all of it at once; asks each server once.

        Raises InputError, ModelError where only the model is at fault, ConfigError for several problems.
        """
        problems, configuration = Problems(), self.configuration
        instructions = configuration.training_sets()["instructions"].model_copy(
            update={"distinct_prompts": False}
        )  # reads all
        with problems.noted():
            refuse_unread((row.prompt for row in load_instructions(instructions)), self.language, instructions.source)
        with problems.noted():
            self.judge.check_apart(self.gate, self.models)
        for judge in self.judge, self.gate:
            with problems.noted():
                judge.check()
        reached = True
        for model in self.models:
            try:
                model.reach()
            except InputError as error:
                problems.note(error)
                reached = False
        with problems.noted():
            self.training_data.check_answers()
        for stage in self._stages():
            with problems.noted():
                STAGES[stage].check_origin(configuration.training_sets()["instructions"], getattr(configuration, stage))
        with problems.noted():
            self.base.check(SHORT)
            if reached:  # servers are asked whether they take guides
                self._check_prompts(problems)
        problems.refuse()

    def _check_prompts(self, problems: Problems) -> None:
        """Guides and training, of a model that takes a plain prompt."""
        configuration = self.configuration
        reminder = answering_guide(configuration.respond, True, self.language)
        if configuration.system_prompt and reminder.system:
            with problems.noted():
                raise InputError(
                    f"respond.guide: {reminder.name!r} is a system turn, and system_prompt would not stand in it; "
                    "choose `reminder`, or write both into system_prompt"
                )
        asked: dict[str, tuple[list[Guide], Model]] = {
            f"{stage}.guides": (STAGES[stage].guides(getattr(configuration, stage), self.language), self.maker(stage))
            for stage in self._stages()
        }
        with problems.noted():
            check_guides(asked | {"respond.guide": ([reminder], self.base)})
        for refusal in begun_refusals(configuration, self.base, self.systems):
            problems.note(refusal)
        if not self.weights:
            return
        trainers = [TRAINERS[METHODS[name].trainer] for name in configuration.methods if METHODS[name].kinds]
        if trainers:
            for trainer in dict.fromkeys(trainers):
                with problems.noted():
                    processes_of(configuration.train, trainer)
            with problems.noted():
                self.recipe().check(dict.fromkeys(trainer.check for trainer in trainers))

    def check_rows(self, read: ReadSet | None = None) -> None:
        """Refuses rows that cannot be used together, all of them at once; reads every set whole.

        Args:
            read: where the sets are read; from their sources by default.
        """
        problems, read = Problems(), read or self.read
        for name, suite in self.configuration.suites.items():
            with problems.noted():
                SUITE_KINDS[suite.kind].check(read(f"suites.{name}"), suite.source)
        training = list(self.configuration.training_sets())
        with problems.noted():
            check_disjoint(
                (row for name in training for row in read(name)),
                ((name, row) for name in self.configuration.suites for row in read(f"suites.{name}")),
            )
        with problems.noted():
            for name in (*training, *(f"suites.{name}" for name in self.configuration.suites)):
                check_conversations(read(name), self.base, name)
            if self.weights:  # of others nobody here counts the tokens
                sets = {name: read(name) for name in training}
                self.training_data.check_lengths(sets, self.weights.tokenizer)
        problems.refuse()

    def remarks(self, read: ReadSet | None = None) -> list[str]:
        """What is to be said before the run, though nothing is refused."""
        read, language = read or self.read, self.language
        said = [*self.judge.remarks(language), *self.gate.remarks(language)]
        said += [remark for model in self.models for remark in model.remarks()]
        for name, suite in self.configuration.suites.items():
            prompts = (said_in(row.prompt) for row in read(f"suites.{name}"))
            if SUITE_KINDS[suite.kind].generates and (script := unread_script(prompts, language.scripts)):
                said.append(f"suite {name}: most prompts are in {script}; refusals of them are not recognised")
        return said

    def estimate(self, read: ReadSet | None = None) -> tuple[dict[str, Rows], Estimate]:
        """The rows of each set, all of which are read, and what the run takes; `read`: as of `check_rows`."""
        from amends.models.size import products_a_second, size_of

        rows = {key: Rows.of((read or self.read)(key)) for key in sets_of(self.configuration)}
        if not self.weights:
            return rows, estimate(self.configuration, rows)
        return rows, estimate(self.configuration, rows, size_of(self.weights.source), products_a_second())

    def facts(self) -> dict[str, Any]:
        """What was found, for people and for --json; nothing of an address but its host."""
        models = {"model": self.base} | ({"analyst": self.analyst} if self.analyst is not self.base else {})
        models |= {f"systems.{name}": model for name, model in self.systems.items()}
        judges = {"judge": self.judge, "gate": self.gate}
        return {key: {"name": one.title, "fingerprint": one.fingerprint} for key, one in models.items()} | {
            key: {"name": one.name, "fingerprint": one.fingerprint} for key, one in judges.items()
        }

    def read(self, key: str) -> Iterator[Instruction]:
        """The rows of a set, from its source."""
        return load_instructions(sets_of(self.configuration)[key])

    def used(self) -> list[Model | Judge]:
        """The models and judges, each once."""
        return [*self.models, self.judge, self.gate]

    def release(self) -> None:
        """Frees the models and judges."""
        for used in self.used():
            used.release()

    def _stages(self) -> list[str]:
        return stages_for(self.configuration.methods, self.configuration.shares)


def sets_of(configuration: Configuration) -> dict[str, DataSettings]:
    """All sets of a configuration by their keys."""
    suites = {f"suites.{name}": suite for name, suite in configuration.suites.items()}
    return configuration.training_sets() | suites
