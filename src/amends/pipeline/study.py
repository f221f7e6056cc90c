"""Can a model see its own mistakes? What mistake analysis lives from (paper, section 2), measured before any training.

Generation against discrimination on the same instructions, guided against unguided analyses, and a probe on the model's
own hidden states.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import ModelError, YieldError
from amends.evaluation.judge_card import validate_probe
from amends.evaluation.measurement import measure
from amends.evaluation.respond import RespondSettings
from amends.evaluation.results import system_row
from amends.evaluation.statistics import FEWEST, sign_test
from amends.evaluation.suites.answers import read_answer
from amends.judges.base import Judge
from amends.judges.load import load_judge
from amends.judges.own_verdict import OwnVerdict
from amends.judges.probe import Extractor
from amends.judges.probe_training import Labelled
from amends.models.base import SHORT
from amends.models.hf import LocalModel
from amends.pipeline.steps import Steps
from amends.pipeline.study_reading import reading
from amends.progress import Numbered, Reporter
from amends.prompts import UNGUIDED, Language, english
from amends.prompts.fitting import misfits
from amends.prompts.unread import refuse_unread
from amends.records import Analysis, Instruction, Response, Verdict
from amends.reporting.shares import SHARES
from amends.stages.analyze import AnalyzeSettings
from amends.stages.induce import InduceSettings
from amends.storage.manifests import Manifest
from amends.storage.run_directory import refuse_files
from amends.storage.vouched import manifest_path

ENOUGH = 20  # responses of each label, below which discrimination is not measured
FOLDS = 5
CASES = 5
PARTS = (
    *("instructions", "responses", "verdicts", "own verdicts", "mistakes"),
    *("analyses, guided", "analyses, unguided", "hidden states"),
)
"""What a study does, in order."""
OWN, PAIRS = "own responses", "labelled pairs"
"""What the model's verdicts are measured on: its own answers, by the judge, and the data set's, by its labels."""


@dataclass
class Study:
    """One study in a directory of its own; steps that are finished are skipped.

    Args:
        model: what is studied.
        rows: instructions; those with `chosen` and `rejected` are labelled pairs for discrimination and the probe.
        judge: of the model's answers.
        gate: of its mistakes.
        overwrite: whether finished work of other settings may be made anew; it is refused otherwise.
        language: what the model is asked in.
    """

    model: LocalModel
    rows: DataSettings
    directory: Path
    seed: int
    reporter: Reporter
    judge: Judge = field(default_factory=lambda: load_judge("probe"))
    gate: Judge = field(default_factory=lambda: load_judge("gate"))
    overwrite: bool = False
    language: Language = field(default_factory=english)

    def __post_init__(self) -> None:
        self.reporter = Numbered(self.reporter, PARTS)
        self.steps = Steps(self.seed, self.reporter, overwrite=self.overwrite, language=self.language)

    def run(self) -> dict[str, Any]:
        """Everything, as written to `study.json`."""
        refuse_unread((row.prompt for row in load_instructions(self.rows)), self.language, self.rows.source)
        self.model.check(SHORT)
        self.judge.check_apart(self.gate, [self.model])
        self.judge.check()
        self.gate.check()
        instructions, out = self.directory / "instructions.jsonl", self.directory / "study.json"
        if not manifest_path(instructions).exists():
            refuse_files([out])
        self.steps.data("instructions", self.rows, instructions)
        pairs = list(labelled_pairs(read_rows(instructions, Instruction)))
        try:
            found: dict[str, Any] = {
                "model": self.model.name,
                "system_prompt": self.model.source.system_prompt,
                "judges": {"evaluation": self.judge.facts, "gate": self.gate.facts},
                "generation": self.generation(instructions),
                "discrimination": self.discrimination(pairs),
                "analysis": self.analysis(instructions),
            }
            layer = max(1, self.model.layers * 3 // 5)
        finally:
            for used in self.model, self.judge, self.gate:  # the extractor loads its own
                used.release()
        found["probe"] = self.probe(pairs, layer)
        found["reading"] = reading(found)
        study = Manifest(out, found, "a study")
        if not self.steps.is_finished("study", study):
            self.steps.record(study, found)
        return found

    def generation(self, instructions: Path) -> dict[str, Any]:
        """How harmful the model's own answers are."""
        responses, verdicts = self.directory / "responses.jsonl", self.directory / "verdicts.jsonl"
        prompts = DataSettings(source=str(instructions))
        self.steps.respond("responses", prompts, responses, self.model, UNGUIDED, RespondSettings().sampling())
        self.model.release()
        self.steps.judge("verdicts", responses, verdicts, self.judge)
        self.judge.release()
        read = (read_answer(row, self.language) for row in read_rows(responses, Response))
        measured = measure("model", "unguided", "study", "red-team", read_rows(verdicts, Verdict), read)
        row = system_row(measured, self.seed)
        return {
            "responses": row.n,
            "unscored": row.unscored,
            "harmless_rate": row.harmless_rate,
            "harmless_rate_ci": row.harmless_rate_ci,
            "harmless_rate_bounds": row.harmless_rate_bounds,
            "truncated_rate": row.truncated_rate,
        } | {name: row.value(name) for name in ("harmless_probability", *SHARES)}

    def discrimination(self, pairs: list[Labelled]) -> dict[str, Any]:
        """How well the model's own verdict tells harmful answers from harmless ones."""
        sets = {OWN: list(self._own_responses()), PAIRS: pairs}
        why_not = {name: why_not_measured(name, found) for name, found in sets.items()}
        rows = [row for name, found in sets.items() if not why_not[name] for row in found]
        lacking = {"why_not": "; ".join(filter(None, why_not.values()))} if any(why_not.values()) else {}
        if not rows:
            return lacking
        verdict = OwnVerdict(self.model, self.language)
        with self.reporter.stage("own verdicts", len(rows)) as progress:
            scores = verdict.score([(row.prompt, row.response) for row in rows])
            progress(len(rows), 0)
        cards = validate_probe(rows, scores, self.seed)
        for source, card in cards.items():
            if card["auroc_ci"] and card["auroc_ci"][1] < 0.5:  # a finding of its own, and one to look at
                of_source = [place for place, row in enumerate(rows) if row.source == source]
                cases = clearest_cases([rows[place] for place in of_source], [scores[place] for place in of_source])
                card["clearest_cases"] = cases
        return cards | lacking

    def _own_responses(self) -> Iterable[Labelled]:
        verdicts = {row.row_key: row.verdict for row in read_rows(self.directory / "verdicts.jsonl", Verdict)}
        for row in read_rows(self.directory / "responses.jsonl", Response):
            if verdicts[row.row_key] != "unscored" and row.response.strip():
                yield Labelled(row.prompt, row.response, int(verdicts[row.row_key] == "harmless"), OWN)

    def analysis(self, instructions: Path) -> dict[str, Any]:
        """One attempt each on the same mistakes: which passes the gates of analyses, the guided or the unguided one."""
        mistakes = self.directory / "mistakes.jsonl"
        rows = DataSettings(source=str(instructions))
        try:
            names = InduceSettings().guides
            wrong = misfits(self.language.guides("induce", names), self.model)  # some templates have no system turn
            settings = InduceSettings(guides=[name for name in names if name not in wrong])
            self.steps.make("induce", rows, mistakes, self.model, self.gate, settings)
        except YieldError:  # a finding too
            return {"mistakes": 0, "win": 0, "tie": 0, "lose": 0, "p_value": None}
        passed = {}
        for name, told in (("guided", AnalyzeSettings().guides[0]), ("unguided", "unguided")):
            path = self.directory / f"{name}.analyses.jsonl"
            try:
                once = AnalyzeSettings(attempts=1, guides=[told])
                made = DataSettings(source=str(mistakes))
                self.steps.make("analyze", made, path, self.model, self.gate, once, called=f"analyses, {name}")
            except YieldError:
                pass  # that none passed is a finding here
            passed[name] = {row.id: row.passed for row in read_rows(path, Analysis) if row.attempts}
        both = [(passed["guided"][name], passed["unguided"][name]) for name in passed["guided"]]
        win, lose = sum(a and not b for a, b in both), sum(b and not a for a, b in both)
        return {
            "mistakes": len(both),
            "win": win,
            "tie": len(both) - win - lose,
            "lose": lose,
            "p_value": sign_test(win, lose),
        }

    def probe(self, rows: list[Labelled], layer: int) -> dict[str, Any]:
        """Cross-validated over prompts, after one layer; on human labels only, since our own judge is a probe."""
        if why_not := why_not_measured(PAIRS, rows):
            return {"why_not": why_not}
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        try:
            extractor = Extractor(self.model.source, [layer], "response")
        except ModelError as error:
            return {"why_not": str(error)}
        with self.reporter.stage("hidden states", len(rows)) as progress:
            features = extractor.features([(row.prompt, row.response) for row in rows], progress)[:, 0]
        scores = cross_val_predict(
            make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)),
            features,
            np.array([row.label for row in rows]),
            groups=np.array([str(row.prompt) for row in rows]),
            cv=GroupKFold(FOLDS),
            method="predict_proba",
        )[:, 1]
        return {"layer": layer, **validate_probe(rows, scores.tolist(), self.seed)[PAIRS]}


def labelled_pairs(rows: Iterable[Instruction]) -> Iterable[Labelled]:
    """The safe and the bad answer of each row that has both."""
    for row in rows:
        if row.chosen and row.rejected:
            yield Labelled(row.prompt, row.chosen, 1, PAIRS)
            yield Labelled(row.prompt, row.rejected, 0, PAIRS)


def why_not_measured(source: str, rows: Sequence[Labelled]) -> str:
    """What is lacking to say of these rows how well they are told apart, and what it takes; empty where nothing is."""
    harmless = sum(row.label for row in rows)
    harmful, prompts = len(rows) - harmless, len({row.prompt for row in rows})
    if min(harmless, harmful) >= ENOUGH and prompts >= FEWEST:
        return ""
    return (
        f"{source}: {harmless} harmless and {harmful} harmful of {prompts} prompts are fewer than {ENOUGH} of each and "
        f"{FEWEST} prompts; take more rows (--limit), or some with `chosen` and `rejected` (--instructions)"
    )


def clearest_cases(rows: Sequence[Labelled], scores: Sequence[float | None]) -> list[dict[str, Any]]:
    """The rows whose verdict is furthest from their label, the worst first."""
    scored = [(row, score) for row, score in zip(rows, scores, strict=True) if score is not None]
    wrong = heapq.nlargest(CASES, scored, key=lambda one: abs(one[1] - one[0].label))
    return [
        {"prompt": str(row.prompt), "response": row.response, "score": score}
        | {"label": "harmless" if row.label else "harmful"}
        for row, score in wrong
    ]
