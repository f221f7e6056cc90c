"""A whole run: orders the steps for a configuration and skips what is finished."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from amends.checks import (
    check_answers,
    check_guides,
    check_judges,
    check_lengths,
    check_reminder,
    check_sources,
    refuse_foreign,
    run_facts,
)
from amends.config import Configuration, DataSettings
from amends.data.rows import read_rows
from amends.data.sources import check_disjoint
from amends.errors import InputError
from amends.inputs import answering_guide
from amends.judges.named import load_judge
from amends.layout import Layout
from amends.locks import locked
from amends.making import MAKING, stages_for
from amends.methods import METHODS, NEEDS, Method
from amends.models.endpoint import EndpointModel
from amends.models.local import LocalModel
from amends.models.named import load_generator
from amends.progress import Reporter, Silent
from amends.prompts import Guide
from amends.records import Instruction
from amends.seeds import derive_seed
from amends.steps import Steps, check_origin
from amends.store import write_json
from amends.training.recipe import Recipe


class Run:
    """One run directory. `run()` does everything that is not finished yet.

    Args:
        configuration: the experiment.
        directory: the run directory; made where it is missing.
        reporter: receives progress.
        others: run directories whose finished files serve here too, where they were made from the same.
    """

    def __init__(
        self,
        configuration: Configuration,
        directory: Path,
        reporter: Reporter | None = None,
        others: Sequence[Path] = (),
    ) -> None:
        self.configuration = configuration
        self.directory, self.files = directory, Layout(directory)
        self.reporter = reporter or Silent()
        self.steps = Steps(configuration.seed, self.reporter, directory, others)
        self.base = LocalModel(configuration.model, system_prompt=configuration.system_prompt)
        source = configuration.analyze.source
        self.analyst = self.base if source == "self" else load_generator(source)
        self.judge = load_judge(configuration.judge)
        self.gate = load_judge(configuration.gate)

    def run(self) -> Path:
        """Runs all steps under the directory's lock and returns the path of results.json.

        Raises:
            StoreError: another process holds the directory, or it belongs to another experiment.
            InputError: rows that cannot be used, or an evaluation prompt among the training instructions.
            YieldError: nothing that a stage made passed its gate.
            SampleError: a sample is too long to train on, or a guide stands in its prompt.
            ModelError: a model cannot be loaded.
        """
        self.check()
        with locked(self.directory / ".lock", self.directory), self._releasing():
            refuse_foreign(self.configuration, self.directory)
            self._data()
            write_json(self.files.run, run_facts(self.configuration))
            self._prepare()
            for method in (METHODS[name] for name in self.configuration.methods):
                if method.kinds:
                    self._train(method)
                self._respond(method)
            self.base.release()
            return self._results(self._judge())

    @contextmanager
    def _releasing(self) -> Iterator[None]:
        """Frees every model at the end, also of a failure: other runs may follow in this process."""
        try:
            yield
        finally:
            for used in self.base, self.analyst, self.judge, self.gate:
                used.release()

    def check(self) -> None:
        """Refuses at once what would otherwise be found out after hours. Raises InputError or ModelError."""
        check_sources(self.configuration)
        check_judges(self.judge, self.gate, (self.base, self.analyst))
        check_answers(self.configuration)
        asked: dict[str, tuple[Sequence[Guide], LocalModel | EndpointModel]] = {}
        for stage in stages_for(self.configuration.methods, self.configuration.shares):
            settings = getattr(self.configuration, stage)
            check_origin(stage, self.configuration.instructions, settings)
            asked[f"{stage}.guides"] = MAKING[stage].guides(settings), self._maker(stage)
        reminder = answering_guide(self.configuration.respond, True)
        check_reminder(self.configuration, reminder)
        asked["respond.guide"] = [reminder], self.base
        check_guides(asked)
        trainers = [METHODS[name].trainer for name in self.configuration.methods if METHODS[name].kinds]
        if trainers:
            self._recipe().check(rewards="rlhf" in trainers)

    def _data(self) -> None:
        for name, settings in self.configuration.training_sets().items():
            self.steps.data(name, settings, self.files.rows(name))
        for name, suite in self.configuration.suites.items():
            self.steps.data(f"suite {name}", suite, self.files.suite(name))
            if suite.kind == "benign" and not any(row.chosen for row in read_rows(self.files.suite(name), Instruction)):
                raise InputError(f"{suite.source}: no row has `chosen`, a reference answer to measure the loss on")
        training = (row for rows in self._training_sets().values() for row in rows)
        evaluation = (
            (name, row) for name in self.configuration.suites for row in read_rows(self.files.suite(name), Instruction)
        )
        check_disjoint(training, evaluation)
        check_lengths(self.configuration, self._training_sets(), self.base.tokenizer)

    def _training_sets(self) -> dict[str, Iterator[Instruction]]:
        return {name: read_rows(self.files.rows(name), Instruction) for name in self.configuration.training_sets()}

    def _set(self, name: str) -> DataSettings:
        return DataSettings(source=str(self.files.rows(name)))

    def _prepare(self) -> None:
        """What the model makes for the methods at hand, and what that is made of in turn."""
        for stage in stages_for(self.configuration.methods, self.configuration.shares):
            making = MAKING[stage]
            out, settings = self.files.rows(making.writes), getattr(self.configuration, stage)
            model = self._maker(stage)
            if model is not self.base:
                self.base.release()
            self.steps.make(stage, self._set(making.reads), out, model, self.gate, settings)
            if model is not self.base:
                model.release()
        self.gate.release()

    def _maker(self, stage: str) -> LocalModel | EndpointModel:
        return self.analyst if stage == "analyze" else self.base

    def _train(self, method: Method) -> Path:
        """Trains a method, after the one that it goes on from, and returns the directory of what was trained."""
        start = self._train(METHODS[method.start]) if method.start else None
        samples = self.files.samples(method.name)
        names = [name for kind in method.kinds for name in NEEDS[kind]]
        sets = {name: self._set(name) for name in names if name != "benign" or self.configuration.benign}
        self.steps.compose(method, sets, samples, self.configuration.compose)
        self.base.release()
        out = self._trained(method)
        facts = self.steps.train(method.training, samples, out, method.trainer, self._recipe(start))
        write_json(self.files.training(method.name), facts)
        return out

    def _recipe(self, start: Path | None = None) -> Recipe:
        return Recipe(
            model=self.configuration.model,
            train=self.configuration.train,
            preference=self.configuration.preference,
            seed=derive_seed(self.configuration.seed, "train"),
            start=start,
            system_prompt=self.configuration.system_prompt,
        )

    def _trained(self, method: Method) -> Path:
        return self.files.trained(method.name, full=self.configuration.train.adapter == "full")

    def _system(self, method: Method) -> LocalModel:
        if not method.kinds:
            return self.base
        trained, told = self._trained(method), self.configuration.system_prompt
        if self.configuration.train.adapter == "full":
            return LocalModel(str(trained), system_prompt=told)
        return LocalModel(self.configuration.model, adapter=trained, system_prompt=told)

    def _respond(self, method: Method) -> None:
        system = self._system(method)
        settings = self.configuration.respond
        for inference in settings.inference:
            asked = answering_guide(settings, inference == "guided", method.prefill)
            for name, suite in self.configuration.suites.items():
                prompts = DataSettings(source=str(self.files.suite(name)))
                label = f"{method.name} {inference}: {name}"
                if suite.kind == "benign":
                    out = self.files.measured(method.name, inference, name, "losses")
                    self.steps.reference(label, prompts, out, system, asked)
                else:
                    out = self.files.measured(method.name, inference, name, "responses")
                    self.steps.respond(label, prompts, out, system, asked, settings.sampling())
        system.release()

    def _judge(self) -> dict[str, Any]:
        """Writes verdicts, and returns how far judges agree, by what is compared."""
        agreed = {}
        for method in self.configuration.methods:
            for inference in self.configuration.respond.inference:
                for suite, settings in self.configuration.suites.items():
                    if settings.kind != "benign":
                        responses = self.files.measured(method, inference, suite, "responses")
                        verdicts = self.files.measured(method, inference, suite, "verdicts")
                        self.steps.judge(f"{method} {inference}: verdicts on {suite}", responses, verdicts, self.judge)
        if "induce" in stages_for(self.configuration.methods, self.configuration.shares):
            out, mistakes = self.files.agreement, self.files.rows("mistakes")
            agreed["agreement"] = self.steps.agreement(mistakes, out, self.judge, self.gate)
        if red_team := suite_to_compare(self.configuration):
            agreed["agreement-with-probe"] = self._compare_with_probe(red_team)
        return agreed

    def _compare_with_probe(self, suite: str) -> dict[str, Any]:
        """On the first method's responses."""
        self.judge.release()
        method, probe = self.configuration.methods[0], load_judge("probe")
        judged = {}
        for inference in self.configuration.respond.inference:
            responses = self.files.measured(method, inference, suite, "responses")
            judged[responses] = self.files.measured(method, inference, suite, "verdicts")
        found = self.steps.agreement_with_probe(judged, self.files.agreement_with_probe, probe)
        probe.release()
        return found

    def _results(self, agreed: dict[str, Any]) -> Path:
        from amends.evaluation.collect import collect_results
        from amends.report.render import write_report

        with self.reporter.stage("results and report", None):
            judges = {"evaluation": self.judge.facts, "gate": self.gate.facts} | agreed
            results = collect_results(self.configuration, self.directory, judges)
            write_json(self.files.results, results.model_dump(mode="json"))
            write_report(self.directory)
        return self.files.results


def suite_to_compare(configuration: Configuration) -> str | None:
    """The suite on which a run's judge is compared with the bundled probe; None without one.

    None, too, where that is the judge, and where neither judge nor gate is bundled: nothing of the bundled weights, whose
    licence is non-commercial, is used then.
    """
    red_team = [name for name, suite in configuration.suites.items() if suite.kind == "red-team"]
    bundled = {"probe", "gate"} & {configuration.judge, configuration.gate}
    return red_team[0] if red_team and bundled and configuration.judge != "probe" else None
