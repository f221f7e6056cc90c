"""The configuration of a run: its sections, their defaults, and what must go together in them."""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from amends.config.common import CommonSettings
from amends.config.doses import Equal, dose_problems, with_doses
from amends.config.dotted import merge
from amends.config.executor import ExecutorSettings
from amends.config.methods import METHODS, MethodName, kinds_of, shares_of, stages_for, with_starts
from amends.config.primary import PrimarySettings, row_name
from amends.data.identity import identity
from amends.data.settings import DataSettings, limited
from amends.errors import ConfigError, InputError
from amends.evaluation.respond import RespondSettings
from amends.evaluation.suites.base import SuiteSettings
from amends.models.endpoint.address import WITHOUT_SECRETS, Endpoint
from amends.models.load import content_of
from amends.prompts import GuideStage, Language, language_codes, load_language
from amends.settings import Seed
from amends.settings.gathered import own_settings
from amends.stages.analyze import AnalyzeSettings
from amends.stages.answer import AnswerSettings
from amends.stages.base import STAGES
from amends.stages.chain import ChainSettings
from amends.stages.contrast import ContrastSettings
from amends.stages.induce import InduceSettings
from amends.stages.reply import ReplySettings
from amends.stages.revise import ReviseSettings
from amends.storage.files import fingerprint
from amends.training.compose import ComposeSettings
from amends.training.preference import PreferenceSettings
from amends.training.sample_kinds.base import SAMPLE_KINDS
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS

NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
NAME_RULE = "names are letters, digits, - and _ and begin with a letter or digit (they become file names)"
SHARED = (
    *("model", "language", "guides", "seed", "seeds", "limit", "suites", "primary"),
    *("judge", "gate", "threads", "variants"),
)
"""What all variants of a configuration have in common, or they could not be compared."""


class Configuration(CommonSettings):
    """A whole experiment: one model, one set of training instructions, several methods, several suites."""

    systems: dict[MethodName, Endpoint | dict[Seed, Endpoint]] = Field(
        default={},
        description="Where `model` is a server: what serves the result of a method's training, by the method's name, "
        "as in `systems.sft=endpoint:MODEL@URL`. Of several seeds each has its own, by the seed: `systems.sft.0=...`.",
    )
    seeds: list[Seed] = Field(
        default=[],
        description="Several seeds: all of it is done once for each, with intervals over prompts and seeds. "
        "`seed` is then not used.",
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="For a quick try, so many rows of every set: of suites the first ones, of training sets drawn.",
    )
    variants: Annotated[dict[str, dict[str, Any]], WITHOUT_SECRETS] = Field(
        default={},
        description="A whole run for each, compared in one table: a name and the keys that differ, as in "
        "`unguided: {analyze.guides: [unguided]}`. "
        f"What all share is none of them: {', '.join(SHARED[:-1])}.",
    )
    equal: Equal | None = Field(
        default=None,
        description="What all methods have equally: the `steps` of `train.max_steps`, the `epochs` of `train.epochs`, "
        "or `both`, as the variants `equal-steps` and `equal-epochs` of one table. `primary` is then of equal epochs. "
        "Without it, steps where `train` names them, else epochs.",
    )
    instructions: DataSettings
    benign: DataSettings | None = None
    suites: dict[str, SuiteSettings] = Field(min_length=1)
    methods: list[MethodName] = Field(
        default=["vanilla", "sft", "mistake-analysis"],
        min_length=1,
        description="The rows of the comparison (docs/reference/methods.md).",
    )
    primary: PrimarySettings | None = None
    executor: ExecutorSettings = ExecutorSettings()
    threads: int | None = Field(
        default=None,
        ge=1,
        description="Threads that a CPU computes with. Without it, what OMP_NUM_THREADS says, or as many as there are "
        "free cores when the run starts. A run that goes on takes those that it began with.",
    )
    induce: InduceSettings = InduceSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
    revise: ReviseSettings = ReviseSettings()
    answer: AnswerSettings = AnswerSettings()
    contrast: ContrastSettings = ContrastSettings()
    reply: ReplySettings = ReplySettings()
    chain: ChainSettings = ChainSettings()
    compose: ComposeSettings = ComposeSettings()
    train: TrainSettings = TrainSettings()
    preference: PreferenceSettings = PreferenceSettings()
    respond: RespondSettings = RespondSettings()

    @model_validator(mode="before")
    @classmethod
    def _with_the_limit_in_every_set(cls, content: Any) -> Any:
        limit = content.get("limit") if isinstance(content, dict) else None
        if not isinstance(limit, int) or limit < 1:  # which is said of the limit itself
            return content
        suites = content.get("suites")
        named = {name: limited(content[name], limit) for name in ("instructions", "benign") if name in content}
        if isinstance(suites, dict):
            named["suites"] = {name: limited(one, limit) for name, one in suites.items()}
        return content | named

    @model_validator(mode="before")
    @classmethod
    def _at_equal_doses(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        methods = content.get("methods", cls.model_fields["methods"].default)
        return with_doses(content, methods if isinstance(methods, list) else [])

    @field_validator("suites", mode="before")
    @classmethod
    def _those_that_are_measured(cls, suites: Any) -> Any:
        """Without the suites that are null: so an override leaves one out."""
        return {name: one for name, one in suites.items() if one is not None} if isinstance(suites, dict) else suites

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        if problems := [*_together(self)]:
            raise ConfigError("Configuration", problems)
        parts = variants(self) if self.variants else {"": self}
        if self.primary:
            names = [row_name(name, method, part.methods) for name, part in parts.items() for method in part.methods]
            if problems := [*self.primary.problems(names, self.suites, self.respond.inference)]:
                raise ConfigError("Configuration", problems)
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Copies of each kind of sample: 0 of what would be made of a set that there is not."""
        return shares_of(self.compose.model_dump(), self.benign is not None)

    @property
    def planned(self) -> dict[str, Any]:
        """What kinds of samples can know of what is going to be made, but for the language."""
        stages = [name for name in STAGES if name in type(self).model_fields]
        return {name: getattr(self, name) for name in (*stages, "shares")}

    def run_facts(self) -> dict[str, dict[str, Any]]:
        """What run.json says: the configuration, and hashes of what may move: a directory is its run's by either."""
        return {
            "configuration": self.model_dump(mode="json"),
            "contents": {
                "model": content_of(self.model),
                "instructions": fingerprint(**identity(self.instructions)),
            },
        }

    def training_sets(self) -> dict[str, DataSettings]:
        """The sets that are trained on, by the names of their files: with a limit, rows drawn by the seed."""
        sets = {"instructions": self.instructions} | ({"benign": self.benign} if self.benign else {})
        return {
            name: one if one.limit is None or one.draw is not None else one.model_copy(update={"draw": self.seed})
            for name, one in sets.items()
        }


def variants(configuration: Configuration) -> dict[str, Configuration]:
    """The configurations of the variants by name. Raises ConfigError with every problem."""
    found, problems = {}, []
    for name, changes in configuration.variants.items():
        content = configuration.model_dump(exclude={"variants", "primary"})
        own: list[str] = []
        if not re.fullmatch(NAME, name):
            own.append(NAME_RULE)
        own += [f"{key}: a variant has none of its own" for key in changes if key.split(".")[0] in SHARED]
        for key, value in changes.items():
            merge(content, key, value, own)
        try:
            found[name] = Configuration.model_validate(content)
        except ConfigError as error:
            own += error.problems
        problems += [f"variants.{name}: {problem}" for problem in own]
    if problems:
        raise ConfigError("variants", problems)
    return found


def _together(configuration: Configuration) -> Iterator[str]:
    """What no key alone is wrong in: names that other files know, and keys that do not go together."""
    try:
        language = load_language(configuration.language, configuration.guides)
    except InputError as error:
        key = "guides" if configuration.language in language_codes() else "language"
        yield f"{key}: {error}"
    else:
        yield from _unknown_guides(configuration, language)
        yield from _missing_templates(configuration, language)
    yield from (f"suites.{name}: {NAME_RULE}" for name in configuration.suites if not re.fullmatch(NAME, name))
    if len(set(configuration.seeds)) < len(configuration.seeds) or len(configuration.seeds) == 1:
        yield "seeds: name at least two different ones (or seed alone)"
    for name, served in configuration.systems.items() if configuration.seeds else ():
        if isinstance(served, str):
            yield f"systems.{name}: each seed has one of its own; name them systems.{name}.{configuration.seeds[0]}=..."
        elif other := sorted(served.keys() - set(configuration.seeds)):
            yield f"systems.{name}.{other[0]}: is none of the seeds ({', '.join(map(str, configuration.seeds))})"
    if configuration.judge == configuration.gate:
        yield "judge: is the gate too; the judge that evaluates must not have chosen the data (name another)"
    for trainer in dict.fromkeys(TRAINERS[METHODS[name].trainer] for name in configuration.methods):
        if refusal := trainer.refusal(configuration.train, own_settings(configuration.preference, trainer.settings)):
            yield refusal
    for method in with_starts(configuration.methods):
        kinds = METHODS[method].kinds
        if kinds and not any(configuration.shares[kind] for kind in kinds):
            zero = ", ".join(f"compose.{kind}" for kind in kinds)
            yield f"{zero}: {method} has nothing to train on where all of these are 0"
    yield from dose_problems(configuration.equal, configuration.train, configuration.variants)
    if len(set(configuration.methods)) < len(configuration.methods):
        yield "methods: a method is named twice"
    if len(set(configuration.respond.inference)) < len(configuration.respond.inference):
        yield "respond.inference: one is named twice"


def _missing_templates(configuration: Configuration, language: Language) -> Iterator[str]:
    """What the methods and the question need, and a user's own language has not."""
    wanted: dict[str, Sequence[str]] = {"question": ["assess"] if configuration.question == "open" else []}
    for name in with_starts(configuration.methods):
        texts = {text for kind in kinds_of([name], configuration.shares) for text in SAMPLE_KINDS[kind].templates}
        stages = stages_for([name], configuration.shares)
        wanted[f"methods: {name}"] = sorted(texts.union(*(STAGES[stage].templates for stage in stages)))
    for key, names in wanted.items():
        for text in names:
            try:
                language.template(text)
            except InputError as error:
                yield f"{key}: {error}"


def _unknown_guides(configuration: Configuration, language: Language) -> Iterator[str]:
    """Answers are given under the guides of guided inference."""
    named: dict[str, tuple[GuideStage, list[str]]] = {
        "induce.guides": ("induce", configuration.induce.guides),
        "analyze.guides": ("analyze", configuration.analyze.guides),
        "contrast.guides": ("analyze", configuration.contrast.guides),
        "answer.guides": ("respond", configuration.answer.guides),
        "respond.guide": ("respond", [configuration.respond.guide]),
    }
    if "contrast" not in stages_for(configuration.methods, configuration.shares):
        del named["contrast.guides"]  # which a user's own language may lack
    for key, (stage, names) in named.items():
        try:
            language.guides(stage, names)
        except InputError as error:
            yield f"{key}: {error}"
