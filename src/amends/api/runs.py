"""Whole runs, studies and reports, from Python."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import overload

from amends.api.loading import LoadedModel, judge_of, model_of, spoken
from amends.config.reading import load_configuration, takes_text
from amends.config.settings import Configuration
from amends.data.settings import DataSettings
from amends.errors import InputError, ModelError
from amends.judges.base import Judge
from amends.models.load import with_weights
from amends.pipeline.doctor.diagnosis import diagnose
from amends.pipeline.doctor.finding import Diagnosis
from amends.pipeline.experiment import run_experiment
from amends.pipeline.in_memory import Given, rows_given
from amends.pipeline.study import Study
from amends.pipeline.study_reading import study_lines
from amends.prompts import Language
from amends.records import Instruction
from amends.reporting.console import reporter_for
from amends.reporting.lineage import Lineage
from amends.reporting.page import write_report
from amends.reporting.run_results import RunResults, RunsBeside, StudyResults, beside
from amends.reporting.tracing import trace
from amends.storage.files import json_text, write_atomically
from amends.storage.vouched import refuse_damaged_in

Override = str | int | float | bool | None | Path | Sequence[object] | Mapping[str, object]


def run(
    config: str | Path | Configuration,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
    **overrides: Override,
) -> RunResults:
    """Runs a whole experiment: induce, analyze, compose, train, respond, judge, compare, report.

    What is finished is skipped, what was interrupted is resumed, and a change that touches finished work is refused.

    Args:
        config: a bundled configuration's name (`own`, `quickstart`), a file, or a `Configuration`.
        out: the run directory; `runs/NAME` by default.
        overwrite: whether finished work of other settings may be made anew.
        progress: as of `induce`.
        overrides: settings, a section's by its name and a mapping, or with a double underscore for each dot:
            `train={"epochs": 3}` is `train__epochs=3`. Keys that are not named stay as they are.

    Raises:
        ConfigError: every problem at once, each with the key's full name.
        ModelError: the samples are there, and training needs weights that are not here; it says what to train.
        AmendsError: as `amends run`.

    Example:
        results = amends.run("own", model="embedded", limit=24, out="runs/mine")
    """
    configuration = _resolved(config, overrides)
    name = "run" if isinstance(config, Configuration) else Path(config).stem
    directory = Path("runs") / name if out is None else Path(out)
    found = run_experiment(configuration, directory, reporter_for(progress), overwrite)
    if isinstance(found, list):
        raise ModelError("\n".join(line for one in found for line in one.lines()))
    return RunResults(found.parent)


def doctor(
    config: str | Path | Configuration | None = None, *, out: str | Path = "runs", **overrides: Override
) -> Diagnosis:
    """Looks at this machine and, where one is given, at what a configuration needs of it; trains nothing.

    Args:
        config: as of `run`; None for this machine alone.
        out: where the run is going to be written.
        overrides: settings, as of `run`.

    Raises:
        ConfigError: the configuration cannot be read; what it names and cannot be used is among the findings.

    Example:
        found = amends.doctor("own", model="embedded")
        assert found.passed, found
    """
    return diagnose(None if config is None else _resolved(config, overrides), Path(out))


@overload
def report(directory: str | Path) -> RunResults: ...


@overload
def report(
    directory: str | Path, second: str | Path, /, *others: str | Path, out: str | Path | None = None
) -> RunsBeside: ...


def report(directory: str | Path, *others: str | Path, out: str | Path | None = None) -> RunResults | RunsBeside:
    """Writes a finished run's report.html again, and gives its results; of several runs, all beside each other.

    Args:
        directory: a run directory with results.json.
        others: more of them; no run's own page is written then.
        out: of several runs, the page to write that shows them; none by default.

    Raises:
        InputError: a run is named twice, or `out` for one run.
        StoreError: there is no finished run, or a file of it is damaged; another's file is at `out`.

    Example:
        amends.report("runs/mine").to_pandas()
        amends.report("runs/mine", "runs/other", out="runs/both.html").to_pandas()
    """
    directories = [Path(one) for one in (directory, *others)]
    for one in directories:
        refuse_damaged_in(one)
    if others:
        return beside(directories, None if out is None else Path(out))
    if out is not None:
        raise InputError(f"out={str(out)!r}: is for several runs; the report of one is its report.html")
    write_report(directories[0])
    return RunResults(directories[0])


def why(directory: str | Path, row: str | int, *, seed: int | None = None, full: bool = False) -> Lineage:
    """What became of one row of a run: guides tried, the gate's reasons, samples, verdicts before and after.

    Args:
        directory: a run directory, finished or not; of a run with variants that of one variant.
        row: its id, in the training sets or in a suite.
        seed: of a run with several seeds; the first by default.
        full: whether texts are shown whole, and harmful ones at all.

    Raises:
        InputError: it is no run directory, or has no such seed or row; names the nearest.
        StoreError: a file of the run is damaged.

    Example:
        print(amends.why("runs/quickstart", "redteam-000"))
    """
    return trace(Path(directory), str(row), seed, full)


def study(
    model: LoadedModel | str = "embedded",
    rows: Given = "bundled:redteam/train",
    *,
    out: str | Path = "runs/study",
    judge: Judge | str = "bundled",
    gate: Judge | str = "gate",
    seed: int = 0,
    limit: int | None = 100,
    language: Language | str = "en",
    overwrite: bool = False,
    progress: bool | None = None,
) -> StudyResults:
    """Whether a model can see its own mistakes, and the method work on it, before any training (paper, section 2).

    Args:
        model: what is studied; it has to be loaded here.
        rows: instructions, best with `chosen` and `rejected`.
        out: a directory for the study's files; rows in memory are written there as `given.jsonl`.
        judge: of the model's answers.
        gate: of its mistakes.
        seed: equal seeds give equal bytes.
        limit: how many rows are taken at most.
        language: what the model is asked in.
        overwrite: whether finished work of other settings may be made anew.
        progress: as of `induce`.

    Raises:
        InputError: rows cannot be used, or the judge is the gate.
        ModelError: the model cannot be loaded, or is asked over a network.

    Example:
        print(amends.study("embedded", limit=40))
    """
    studied, said, reporter = with_weights(model_of(model).model), spoken(language), reporter_for(progress)
    judges = judge_of(judge, said), judge_of(gate, said)
    for remark in (remark for one in judges for remark in one.remarks(said)):
        reporter.say(remark)
    directory, source = Path(out), str(rows)
    if not isinstance(rows, str | Path):
        source = str(directory / "given.jsonl")
        write_atomically(Path(source), rows_given(rows, Instruction).lines())
    asked = DataSettings(source=source, limit=limit)
    found = Study(studied, asked, directory, seed, reporter, *judges, overwrite, said).run()
    return StudyResults(directory / "study.json", found, tuple(study_lines(found)))


def _resolved(config: str | Path | Configuration, overrides: Mapping[str, Override]) -> Configuration:
    changes = [
        f"{key}={text}" for name, value in overrides.items() for key, text in _flat(name.replace("__", "."), value)
    ]
    return _changed(config, changes) if isinstance(config, Configuration) else load_configuration(config, changes)


def _changed(configuration: Configuration, changes: list[str]) -> Configuration:
    if not changes:
        return configuration
    with TemporaryDirectory(prefix="amends-") as directory:
        path = Path(directory) / "configuration.yaml"
        write_atomically(path, json_text(configuration.model_dump(mode="json")))  # JSON is YAML
        return load_configuration(path, changes)


def _flat(key: str, value: Override) -> Iterator[tuple[str, str]]:
    """Each key of a section with its value as YAML; of a setting that holds text, the text as it is."""
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flat(f"{key}.{name}", part)  # type: ignore[arg-type]
        return
    text_wanted, _ = takes_text(key)
    if isinstance(value, Path) or (text_wanted and isinstance(value, str)):
        yield key, str(value)
    else:
        yield key, json.dumps(list(value) if isinstance(value, tuple) else value, default=str)
