"""A whole run: orders the steps for a configuration and skips what is finished."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from amends.config.methods import METHODS, Method, stages_for, with_starts
from amends.config.plan import Plan
from amends.config.settings import Configuration
from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.errors import StoreError
from amends.evaluation.chosen import refuse_harmful
from amends.evaluation.respond import answering_guide
from amends.evaluation.suites.base import SUITE_KINDS, Measured
from amends.judges.load import load_judge
from amends.models.base import Model
from amends.models.load import weights_here
from amends.models.threads import take_threads
from amends.pipeline.elsewhere import TrainedElsewhere, trained_elsewhere
from amends.pipeline.forecast import guesses
from amends.pipeline.genuine import watch
from amends.pipeline.judging import suite_to_compare
from amends.pipeline.origin import origin
from amends.pipeline.reporting import write_results
from amends.pipeline.resuming import Outlook
from amends.pipeline.steps import Steps
from amends.pipeline.systems import Systems
from amends.progress import Guess, Reporter, Silent
from amends.records import Instruction
from amends.stages.base import STAGES, comes_from
from amends.stages.executors import executor_named
from amends.stages.yields import yield_line
from amends.storage.files import clear_after_killed, write_json
from amends.storage.locks import locked
from amends.storage.run_directory import RunDirectory, read_origin
from amends.training.sample_kinds.base import SAMPLE_KINDS

OTHERWISE = "Choose another directory with --out, or add --overwrite to make them anew"


class Run:
    """One run directory. `run()` does everything that is not finished yet.

    Args:
        configuration: the experiment.
        directory: the run directory; made where it is missing.
        reporter: receives progress.
        others: run directories whose finished files serve here too, where they were made from the same.
        overwrite: whether what other settings finished there may be made anew; it is refused otherwise.
    """

    def __init__(
        self,
        configuration: Configuration,
        directory: Path,
        reporter: Reporter | None = None,
        others: Sequence[Path] = (),
        overwrite: bool = False,
    ) -> None:
        self.configuration = configuration
        self.directory, self.files = directory, RunDirectory(directory)
        self.reporter = reporter or Silent()
        self.plan = Plan.of(configuration)
        self.language = self.plan.language
        executor = executor_named(configuration.executor.name, configuration.executor)
        self.steps = Steps(
            configuration.seed, self.reporter, directory, others, overwrite, language=self.language, executor=executor
        )
        self.systems = Systems(self.plan, self.files)
        self.judge, self.gate = self.plan.judge, self.plan.gate
        self.later, self.several = 0, False  # runs of the experiment that come after; whether others have other seeds

    def run(self) -> Path | TrainedElsewhere:
        """Runs all steps under the directory's lock and returns the path of results.json.

        Where the model is asked and not trained here it stops at samples that have no served result, and says what is
        to be trained.

        Raises:
            StoreError: another process holds the directory, or it belongs to another experiment.
            InputError: rows that cannot be used, or an evaluation prompt among the training instructions.
            GateError: most of a sample of `chosen` look harmful to the gate.
            YieldError: nothing that a stage made passed its gate.
            SampleError: a sample is too long to train on, or a guide stands in its prompt.
            ModelError: a model cannot be loaded.
        """
        if not (outlook := self.outlook()).coming:
            clear_after_killed(self.files.timings)  # nothing writes them again
            for name in outlook.finished:
                self.reporter.say(f"{name}: finished, skipped")
            made = {"threads": self.files.threads, "origin": read_origin(self.directory)}
            write_json(self.files.run, self.configuration.run_facts() | made)
            return self.elsewhere(outlook.elsewhere) or self.files.results
        self.plan.check()
        self.steps.executor.reach()
        with locked(self.directory / ".lock", self.directory), self._releasing():
            self.files.refuse_foreign(self.configuration.run_facts())
            threads = take_threads(self.configuration.threads, self.files.threads, self.reporter.say)
            self.steps.executor.check(self.plan.used(), self.directory)
            self._data()
            self._check_data()
            self.reporter.expect(lambda: self._guesses(outlook.finished))
            write_json(self.files.run, self.configuration.run_facts() | {"threads": threads, "origin": origin()})
            return self.elsewhere(self._make_all(outlook.coming)) or self.files.results

    def outlook(self) -> Outlook:
        """What `run` would do. Nothing is done, and no model is loaded.

        Raises StoreError where the directory belongs to another experiment, or finished work of other settings would
        have to be made anew; DamagedError where something that is finished is not as it was written. What was made
        with other settings, and what is damaged, may be made anew with `overwrite`.
        """
        self.files.refuse_foreign(self.configuration.run_facts())
        steps, found = self.steps, Outlook()
        steps.timings()
        self.steps = replace(steps, outlook=found, done={})
        try:
            self._data()
            found.elsewhere = self._make_all(found.coming)
        finally:
            self.steps = steps
        if found.refusal and not steps.overwrite:
            raise StoreError(f"{self.directory}: {found.refusal}\n{OTHERWISE}")
        return found

    def _make_all(self, coming: Collection[Path]) -> list[str]:
        """Makes what is not finished; of methods that are to be trained elsewhere first no more than samples.

        Args:
            coming: outputs that this run makes, as far as is known. What serves a method's result was not trained on
                samples among them.

        Returns the methods for which that training is waited; where there are any, nothing is measured.
        """
        self._look_at_chosen()
        self._prepare()
        if not self.plan.weights:
            for name in with_starts(self.configuration.methods):
                if METHODS[name].kinds:
                    self._compose(METHODS[name])
            if waiting := self._untrained(coming):
                return waiting
        for method in (METHODS[name] for name in self.configuration.methods):
            if method.kinds and self.plan.weights:
                self._train(method)
            self._respond(method)
        self.plan.base.release()
        judges = {"evaluation": self.judge.facts, "gate": self.gate.facts}
        write_results(self.steps, self.configuration, self.directory, judges, self._judge())
        return []

    def _untrained(self, coming: Collection[Path]) -> list[str]:
        """Methods whose results nobody serves, or serves of other samples, and those that these go on from."""
        there = self.plan.systems
        methods = [name for name in self.configuration.methods if METHODS[name].kinds]
        without = [name for name in methods if name not in there or self.files.samples(name) in coming]
        return [name for name in with_starts(without) if name in without or name not in there]

    def elsewhere(self, methods: Sequence[str]) -> TrainedElsewhere | None:
        """What is said of methods that have to be trained elsewhere; None without any."""
        told = [METHODS[name] for name in methods], self.configuration, self.plan.base, self.directory, self.several
        return trained_elsewhere(*told) if methods else None

    @contextmanager
    def _releasing(self) -> Iterator[None]:
        """Frees every model at the end, also of a failure: other runs may follow in this process."""
        try:
            yield
        finally:
            self.plan.release()
            self.steps.executor.release()

    def _data(self) -> None:
        for name, settings in self.configuration.training_sets().items():
            self.steps.data(name, settings, self.files.rows(name))
        for name, suite in self.configuration.suites.items():
            self.steps.data(f"suite {name}", suite, self.files.suite(name))

    def _check_data(self) -> None:
        """Reads the copies that were made of the sets."""
        for remark in self.plan.remarks(self._copied):
            self.reporter.say(remark)
        self.plan.check_rows(self._copied)

    def _copied(self, key: str) -> Iterator[Instruction]:
        """The rows of a set by its key."""
        _, suite, name = key.rpartition("suites.")
        return read_rows(self.files.suite(name) if suite else self.files.rows(key), Instruction)

    def _guesses(self, finished: Sequence[str]) -> dict[str, Guess]:
        """The seconds of each step that is to come, and of the runs of an experiment that come after."""
        found = guesses(self.configuration, self.plan.estimate(self._copied)[1])
        later = {"later runs": Guess("", self.later * sum(one.seconds for one in found.values()))} if self.later else {}
        return {step: guess for step, guess in found.items() if step not in finished} | later

    def _set(self, name: str) -> DataSettings:
        return DataSettings(source=str(self.files.rows(name)))

    def _look_at_chosen(self) -> None:
        """Stops where what is to be trained on looks harmful."""
        names = self.plan.training_data.of_chosen()
        if names and not self.configuration.trust_chosen:
            looks = self.steps.chosen({name: self.files.rows(name) for name in names}, self.files.chosen, self.gate)
            sources = {name: rows.source for name, rows in self.configuration.training_sets().items()}
            refuse_harmful(looks, sources, "trust_chosen=true")

    def _prepare(self) -> None:
        """What the model makes for the methods at hand, and what that is made of in turn."""
        for stage in stages_for(self.configuration.methods, self.configuration.shares):
            one = STAGES[stage]
            out, settings = self.files.rows(one.writes), getattr(self.configuration, stage)
            model = self.plan.maker(stage)
            if model is not self.plan.base:
                self.plan.base.release()
            facts = self.steps.make(stage, self._set(one.reads), out, model, self.gate, settings)
            if facts:
                self.reporter.say(yield_line(one.writes, facts))
            if model is not self.plan.base:
                model.release()
        self.gate.release()

    def _compose(self, method: Method) -> Path:
        """Writes the samples of a method, and returns their file."""
        samples = self.files.samples(method.name)
        names = [name for kind in method.kinds for name in SAMPLE_KINDS[kind].needs]
        there = self.configuration.training_sets()
        sets = {name: self._set(name) for name in names if comes_from(name) in there}
        self.steps.compose(method, sets, samples, self.configuration.compose)
        return samples

    def _train(self, method: Method) -> Path:
        """Trains a method, after the one that it goes on from, and returns the directory of what was trained."""
        start = self._train(METHODS[method.start]) if method.start else None
        samples = self._compose(method)
        self.plan.base.release()
        self.steps.executor.release()  # which may hold models on the very device that trains
        out = self.systems.trained(method)
        self.steps.train(method.training, samples, out, method.trainer, self.plan.recipe(start))
        return out

    def _respond(self, method: Method) -> None:
        system: Model | None = None
        of_method = self.systems.trained(method) if self.plan.weights else self.files.samples(method.name)
        trained = [of_method] if method.kinds else []
        settings = self.configuration.respond
        for inference in settings.inference:
            asked, other = (
                answering_guide(settings, guided, self.language, method.prefill)
                for guided in (inference == "guided", inference != "guided")
            )
            for name, suite in self.configuration.suites.items():
                prompts = DataSettings(source=str(self.files.suite(name)))
                label = f"{method.name} {inference}: {name}"
                kind = SUITE_KINDS[suite.kind]
                out = self.files.measured(method.name, inference, name, kind.written)
                if self.steps.waits(label, out, *trained):
                    continue
                system = system or self.systems.system(method)
                if not self.plan.weights and trained:  # what is served is not seen from here, but what it was made of
                    system.trained_on = self.steps.done.get(self.steps.place(of_method))
                if self.steps.outlook is None and (local := weights_here(system)):
                    watch(local, method, self.files.suite(name), other, self.files)
                measured = Measured(system, self.plan.base, asked, settings.sampling(), settings.draws)
                kind.ask(self.steps, label, prompts, out, measured)
        if system:
            system.release()
            if local := weights_here(system):
                local.refuse()

    def _judge(self) -> dict[str, Any]:
        """Writes verdicts, and returns how far judges agree, by what is compared."""
        agreed = {}
        for method in self.configuration.methods:
            for inference in self.configuration.respond.inference:
                for suite, settings in self.configuration.suites.items():
                    if SUITE_KINDS[settings.kind].judged:
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
