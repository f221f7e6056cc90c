"""What a run refuses before it starts: everything that would otherwise be found out after hours."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from amends.config import Configuration
from amends.data.sources import check_disjoint, load_instructions, source_files
from amends.errors import ConfigError, InputError, ModelError, StoreError
from amends.inputs import identity
from amends.judges.guard import GuardJudge
from amends.judges.language_model import LanguageModelJudge
from amends.layout import Layout, read_run
from amends.making import MAKING
from amends.methods import kinds_of, with_starts
from amends.models.endpoint import EndpointModel
from amends.models.loading import find_model
from amends.models.local import LocalModel
from amends.prompts import Guide, analysis_question, template
from amends.protocols import SHORT, Generator, Judge, Prompt, Sampling
from amends.records import Instruction, Message, SampleKind
from amends.store import fingerprint, read_json
from amends.training.samples import tokenize_text

SHAPE = ("seeds", "variants")
PLAIN = ("Hello.", "Hello, how can I help?")
GUARDED = Prompt((Message(role="user", content=PLAIN[0]), Message(role="assistant", content=PLAIN[1])))


def refuse_foreign(configuration: Configuration, directory: Path) -> None:
    """Raises StoreError where a run directory belongs to another experiment, or has somebody else's files in it."""
    configuration_there = read_run(directory)
    if configuration_there is None:
        refuse_files(Layout(directory).single_files)
        return
    theirs = {"configuration": configuration_there, "contents": read_json(Layout(directory).run).get("contents", {})}
    ours = run_facts(configuration)
    foreign = [key for key in ours["contents"] if all(theirs[part].get(key) != ours[part][key] for part in ours)]
    foreign += [key for key in SHAPE if bool(theirs["configuration"].get(key)) != bool(ours["configuration"][key])]
    if foreign:
        raise StoreError(
            f"{directory}: belongs to another configuration (its {' and '.join(foreign)} differ); choose another "
            "directory with --out, or delete this one"
        )


def refuse_files(paths: Iterable[Path]) -> None:
    """Raises StoreError naming the first of these files that is there: amends would overwrite it."""
    for path in paths:
        if path.exists():
            raise StoreError(
                f"{path}: is there, and no run of amends wrote it; it would be overwritten: choose another directory "
                "with --out, or move it away"
            )


def run_facts(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """What run.json says: the configuration, and hashes of what may move: a directory is its run's by either."""
    return {
        "configuration": configuration.model_dump(mode="json"),
        "contents": {
            "model": find_model(configuration.model).fingerprint(),
            "instructions": fingerprint(**identity(configuration.instructions)),
        },
    }


def check_sources(configuration: Configuration) -> None:
    """Raises ConfigError naming the keys of all sets that are not there, or whose format is not known."""
    suites = {f"suites.{name}": suite for name, suite in configuration.suites.items()}
    problems = []
    for key, rows in (configuration.training_sets() | suites).items():
        try:
            source_files(rows.source, rows.split)
        except InputError as error:
            problems.append(f"{key}.source: {error}")
    if problems:
        raise ConfigError("configuration", problems)


def check_sets(configuration: Configuration) -> None:
    """Raises InputError for a row that cannot be used, and for evaluation prompts in training; reads every set whole."""
    check_disjoint(
        (row for rows in configuration.training_sets().values() for row in load_instructions(rows)),
        ((name, row) for name, suite in configuration.suites.items() for row in load_instructions(suite)),
    )


def check_judges(judge: Judge, gate: Judge, judged: Sequence[Generator]) -> None:
    """Raises InputError where a judge is the gate or one of the models; ModelError where a server does not answer."""
    if judge.fingerprint == gate.fingerprint:
        raise InputError("judge and gate are the same: what chose the training data cannot judge the systems")
    model, gate_model = (getattr(one, "model", None) for one in (judge, gate))  # of those that ask one
    if model and gate_model and model.fingerprint == gate_model.fingerprint:
        raise InputError(f"judge and gate both ask {model.name}: what chose the training data cannot judge the systems")
    if model and model.fingerprint in [_without_system_prompt(one).fingerprint for one in judged]:
        raise InputError(f"judge {model.name} is the model that is judged, or that writes the analyses: name another")
    for one in judge, gate:
        if isinstance(one, LanguageModelJudge) and isinstance(one.model, EndpointModel):
            if one.score([PLAIN]) == [None]:  # an answer is kept: it is paid for once
                raise ModelError(
                    f"{one.model.url}: model {one.model.name!r} gave no rating of a plain answer that can be read; it "
                    "would leave all responses unscored: name another judge"
                )
        elif isinstance(one, LanguageModelJudge) and isinstance(one.model, LocalModel):
            one.model.check(SHORT)
        elif isinstance(one, GuardJudge):
            one.model.check(GUARDED)
    for maker in judged:
        if isinstance(maker, EndpointModel):
            maker.generate([SHORT], Sampling(max_new_tokens=1, temperature=0.0), 0)


def _without_system_prompt(model: Generator) -> Generator:
    return LocalModel(model.name, model.adapter) if isinstance(model, LocalModel) else model


def check_answers(configuration: Configuration) -> None:
    """Raises InputError where methods learn from safe answers of the data set, nothing of the model's, and it has none."""
    given: set[SampleKind] = {"safe", "hindsight", "preference"}
    kinds = {name: kinds_of([name], configuration.shares) for name in configuration.methods}
    lacking = [name for name, trained in kinds.items() if trained & given and trained <= given | {"benign"}]
    rows = configuration.instructions.model_copy(update={"distinct_prompts": False})  # for which all would be read
    if lacking and not any(row.chosen for row in load_instructions(rows)):
        raise InputError(
            f"{configuration.instructions.source}: no row has `chosen`, a safe answer to train on, for the methods "
            f"{', '.join(lacking)}; map a column to it, or name methods that need none (mistake-analysis-plus)"
        )


def check_reminder(configuration: Configuration, asked: Guide) -> None:
    """Raises InputError where the reminder of guided inference would take the place of what the model is deployed with."""
    if configuration.system_prompt and asked.system:
        raise InputError(
            f"respond.guide: {asked.name!r} is a system turn, and system_prompt would not stand in it; choose "
            "`reminder`, or write both into system_prompt"
        )


def check_guides(asked: Mapping[str, tuple[Sequence[Guide], LocalModel | EndpointModel]]) -> None:
    """Raises InputError where guides are in a place that the model does not have.

    `asked`: guides and who is asked with them, by the key or option that names them.
    """
    problems = []
    for key, (guides, model) in asked.items():
        model.check(SHORT)  # what is wrong without any is said of the model
        if wrong := misfits(guides, model):
            name, why = next(iter(wrong.items()))
            fit = ", ".join(guide.name for guide in guides if guide.name not in wrong)
            problems.append(f"{key}: guide {name!r}: {why}" + (f" (of these {fit})" if fit else ""))
    if problems:
        raise InputError("\n".join(problems))


def misfits(guides: Sequence[Guide], model: LocalModel | EndpointModel) -> dict[str, ModelError]:
    """The guides in a place that the model does not have, by name, and why."""
    found = {}
    for guide in guides:
        try:
            model.check(guide.prompt("Hello."))
        except ModelError as error:
            found[guide.name] = error
    return found


def check_lengths(configuration: Configuration, sets: Mapping[str, Iterable[Instruction]], tokenizer: Any) -> None:
    """Raises InputError for rows whose samples could be longer than `train.max_length`, before their parts are made."""
    kinds = kinds_of(with_starts(configuration.methods), configuration.shares)
    if not kinds:
        return
    limit, frame = configuration.train.max_length, len(tokenize_text("Hello.", "Hi.", tokenizer))
    kept = {stage: _kept(stage, configuration) for stage in ("induce", "analyze")}
    long: dict[str, int] = {}
    for name, rows in sets.items():
        for row in rows:
            for text, made in _sample_parts(name, row, kinds, kept, configuration):
                if frame + len(text.encode("utf-8", "replace")) + made > limit:  # a token has at least a byte
                    tokens = frame + len(tokenizer(text, add_special_tokens=False).input_ids) + made
                    if tokens > limit:
                        long[f"{name}: {row.id}"] = max(tokens, long.get(f"{name}: {row.id}", 0))
    if long:
        first = ", ".join(islice(long, 10)) + (", ..." if len(long) > 10 else "")
        raise InputError(
            f"{len(long)} training rows could make samples of more than train.max_length, {limit} tokens ({first}); set "
            f"train.max_length to {max(long.values())}, for which training needs more memory, or leave them out of the "
            "data (of mistake-analysis-plus answer.source=own leaves out the data's answers)"
        )


def _sample_parts(
    name: str, row: Instruction, kinds: set[SampleKind], kept: Mapping[str, str], configuration: Configuration
) -> Iterator[tuple[str, int]]:
    """Of each sample that a row can become: its texts that are known, and at most how many tokens the model adds.

    What is `kept` of a stage's prefills counts as known. Of mistakes of both sources a row has either.
    """
    answered = f"{row.prompt} {row.chosen}"
    if name == "benign":
        if row.chosen and kinds & {"benign", "hindsight"} and configuration.shares["benign"]:
            yield answered, 0
        return
    mistakes = [] if configuration.induce.source == "own" else [(row.rejected or "", 0)]
    if configuration.induce.source != "origin":
        mistakes.append((kept["induce"], configuration.induce.max_new_tokens))
    takes_answers = "answer" in kinds and configuration.answer.source != "own"
    if row.chosen and (takes_answers or kinds & {"safe", "preference"}):
        yield answered, 0
    for mistake, made in mistakes:
        if row.chosen and "preference" in kinds:
            yield f"{row.prompt} {mistake}", made
        if row.chosen and "hindsight" in kinds and configuration.shares["safe"]:
            yield f"{template('hindsight_bad')} {template('hindsight_good')} {mistake} {answered}", made
        if "analysis" in kinds:
            asked = f"{analysis_question(row.prompt, mistake)} {kept['analyze']}"
            yield asked, configuration.analyze.max_new_tokens + made
    if "answer" in kinds and configuration.answer.source != "origin":
        yield row.prompt, configuration.answer.max_new_tokens
    if "revised" in kinds:
        yield row.prompt, configuration.revise.max_new_tokens


def _kept(stage: str, configuration: Configuration) -> str:
    """The longest prefill of a stage's guides that opens what it records."""
    guides = MAKING[stage].guides(getattr(configuration, stage))
    return max((guide.prefill for guide in guides if guide.keep), key=len, default="")
