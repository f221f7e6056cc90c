"""The configuration of a run: defaults, unknown keys with a suggestion, all problems at once, `key=value` overrides."""

import difflib
import math
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from amends.errors import ConfigError, InputError
from amends.records import Inference, SuiteKind

MethodName = Literal["vanilla", "sft", "mistake-analysis", "critique-revise", "chain-of-hindsight", "dpo", "rlhf"]


class Settings(BaseModel):
    """Base of all sections: unknown keys fail, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Settings):
    """A set of rows: `bundled:NAME/SPLIT`, a JSONL, JSON or Parquet file, or a hub id.

    `columns` maps our names (id, prompt, chosen, rejected, category) to the file's; well-known formats need none.
    """

    source: str
    columns: dict[str, str] | None = None
    split: str | None = None
    limit: int | None = Field(default=None, ge=1)
    distinct_prompts: bool = False


SettingsType = TypeVar("SettingsType", bound=Settings)


class SuiteSettings(DataSettings):
    """A named set of evaluation prompts. Its kind says what is measured on it."""

    kind: SuiteKind


class SamplingSettings(Settings):
    """How a stage draws tokens. Temperature .7 is the temperature at which the embedded model's yields were measured."""

    max_new_tokens: int = Field(default=64, ge=1, le=4096)
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)


class InduceSettings(SamplingSettings):
    """Guided mistake induction. The guides' order is by measured yield (docs/methods.md)."""

    max_new_tokens: int = Field(default=40, ge=1, le=4096)
    source: Literal["own", "origin", "both"] = "own"
    guides: list[str] = Field(default=["plain", "direct-should", "should-prefill", "unethical-system"], min_length=1)
    attempts: int = Field(default=8, ge=1, le=100)


class AnalyzeSettings(SamplingSettings):
    """Guided analysis of each mistake."""

    guides: list[str] = Field(default=["told-suffix-prefill", "reviewer-system-prefill"], min_length=1)
    attempts: int = Field(default=6, ge=1, le=100)


class ReviseSettings(SamplingSettings):
    """Critique and revision of each mistake."""

    attempts: int = Field(default=4, ge=1, le=100)


class ComposeSettings(Settings):
    """Copies of each kind of sample in the pool: 1 takes each row once, .5 half of them, 2 each twice."""

    safe: float = Field(default=1.0, ge=0, le=10)
    benign: float = Field(default=1.0, ge=0, le=10)
    analysis: float = Field(default=1.0, ge=0, le=10)
    revised: float = Field(default=1.0, ge=0, le=10)
    hindsight: float = Field(default=1.0, ge=0, le=10)
    preference: float = Field(default=1.0, ge=0, le=10)


class TrainSettings(Settings):
    """Fine-tuning. Rank and rate suit the embedded model; configs/7b.yaml has what is usual for 7B.

    With `max_steps` or `max_tokens` every method gets the same number of optimizer steps, or of tokens read in training
    (to a step); without, `epochs` over its samples.
    """

    adapter: Literal["lora", "full"] = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    target_modules: str | list[str] = "all-linear"
    learning_rate: float = Field(default=5e-4, gt=0)
    epochs: float = Field(default=2.0, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=16, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    max_length: int = Field(default=1024, ge=8)
    save_steps: int = Field(default=25, ge=1)
    gradient_checkpointing: bool = False

    @model_validator(mode="after")
    def _one_budget(self) -> "TrainSettings":
        if self.max_steps and self.max_tokens:
            raise ValueError("name max_steps or max_tokens, not both")
        return self

    def steps(self, samples: int, tokens: int) -> int:
        """Optimizer steps for so many samples with so many tokens in all, as the trainer counts them."""
        if self.max_steps:
            return self.max_steps
        steps_per_epoch = math.ceil(math.ceil(samples / self.batch_size) / self.gradient_accumulation)
        epochs = self.max_tokens / tokens if self.max_tokens else self.epochs
        return max(1, math.ceil(epochs * steps_per_epoch))


class PreferenceSettings(Settings):
    """What dpo and rlhf have beside `train`: `beta` is DPO's (its paper's), `kl` weighs the divergence in RLHF.

    The learning rates are a tenth of supervised fine-tuning's, as is usual for both.
    """

    beta: float = Field(default=0.1, gt=0)
    dpo_learning_rate: float = Field(default=5e-5, gt=0)
    kl: float = Field(default=0.05, ge=0)
    rlhf_learning_rate: float = Field(default=5e-5, gt=0)
    generations: int = Field(default=4, ge=2)
    max_new_tokens: int = Field(default=48, ge=1)
    reward_epochs: float = Field(default=1.0, gt=0)


class RespondSettings(SamplingSettings):
    """Answers to the suites' prompts. `guide` is the reminder of guided inference."""

    guide: str = "reminder"
    inference: list[Inference] = Field(default=["unguided", "guided"], min_length=1)


class Configuration(Settings):
    """A whole experiment: one model, one set of training instructions, several methods, several suites.

    With `seeds`, all of it once for each seed, and results over all of them; `seed` is then not used.
    """

    model: str = "embedded"
    seed: int = Field(default=0, ge=0, lt=2**31)
    seeds: list[int] = []
    instructions: DataSettings
    benign: DataSettings | None = None
    suites: dict[str, SuiteSettings] = Field(min_length=1)
    methods: list[MethodName] = Field(default=["vanilla", "sft", "mistake-analysis"], min_length=1)
    judge: str = "probe"
    gate: str = "gate"
    induce: InduceSettings = InduceSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
    revise: ReviseSettings = ReviseSettings()
    compose: ComposeSettings = ComposeSettings()
    train: TrainSettings = TrainSettings()
    preference: PreferenceSettings = PreferenceSettings()
    respond: RespondSettings = RespondSettings()


def checked_settings(kind: type[SettingsType], values: dict[str, Any]) -> SettingsType:
    """A section from command-line options. Raises ConfigError with every problem."""
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        raise ConfigError("options", [_problem(detail) for detail in error.errors()]) from None
    stage = {InduceSettings: "induce", AnalyzeSettings: "analyze"}.get(kind)
    problems = _guide_problems(f"{stage}.guides", stage, settings.guides) if stage else []  # type: ignore[attr-defined]
    if problems:
        raise ConfigError("options", problems)
    return settings


def load_configuration(path: Path, overrides: list[str] | None = None, limit: int | None = None) -> Configuration:
    """Reads a YAML file and applies `key=value` overrides (`train.epochs=3`; values are YAML).

    `limit` caps the rows of every set.


    Raises:
        ConfigError: every problem at once, each with the key's full name.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), [f"no such file; the configurations at hand: {_at_hand()}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"cannot be read: {error}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [f"is not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(content, dict):
        raise ConfigError(str(path), ["is no mapping of keys to values; see configs/quickstart.yaml"])
    problems: list[str] = []
    for override in overrides or []:
        _apply(content, override, problems)
    if limit is not None:
        _limit_sets(content, limit)
    configuration = _validated(content, problems)
    problems += _named_problems(configuration)
    if problems or configuration is None:
        raise ConfigError(str(path), problems)
    return configuration


def _at_hand() -> str:
    return ", ".join(str(path) for path in sorted(Path("configs").glob("*.yaml"))) or "none in ./configs"


def _apply(content: dict[str, Any], override: str, problems: list[str]) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key:
        problems.append(f"override {override!r}: write it as key=value, as in train.epochs=3")
        return
    place: Any = content
    *sections, last = key.split(".")
    for section in sections:
        place = place.setdefault(section, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        problems.append(f"override {override!r}: {'.'.join(sections)} is no section")
        return
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        problems.append(f"override {override!r}: the value is not YAML")


def _validated(content: dict[str, Any], problems: list[str]) -> Configuration | None:
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        problems.extend(_problem(detail) for detail in error.errors())
        return None


def _problem(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key{_nearest_key(detail['loc'])}"
    if detail["type"] == "missing":
        return f"{key}: is missing"
    given = detail.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"]
    if detail["type"] == "literal_error" and isinstance(given, str):
        known = [word.strip("'") for word in str(detail["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
        close = difflib.get_close_matches(given, known, 1)
        message += f"; did you mean {close[0]!r}?" if close else ""
    return f"{key}: {message[0].lower()}{message[1:]}{shown}"


def _nearest_key(location: tuple[Any, ...]) -> str:
    section: type[Settings] = Configuration
    for part in location[:-1]:
        field = section.model_fields.get(str(part))
        annotation = field.annotation if field else SuiteSettings
        options = [annotation, *getattr(annotation, "__args__", ())]
        section = next((one for one in options if isinstance(one, type) and issubclass(one, Settings)), SuiteSettings)
    known = list(section.model_fields)
    close = difflib.get_close_matches(str(location[-1]), known, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def _named_problems(configuration: Configuration | None) -> list[str]:
    """Names that only other files know: guides, and suites whose names become file names."""
    if configuration is None:
        return []
    problems: list[str] = []
    problems += _guide_problems("induce.guides", "induce", configuration.induce.guides)
    problems += _guide_problems("analyze.guides", "analyze", configuration.analyze.guides)
    problems += _guide_problems("respond.guide", "respond", [configuration.respond.guide])
    problems += [
        f"suites.{name}: names are letters, digits, - and _ and begin with a letter (they become file names)"
        for name in configuration.suites
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name)
    ]
    if len(set(configuration.seeds)) < len(configuration.seeds) or len(configuration.seeds) == 1:
        problems.append("seeds: name at least two different ones (or seed alone)")
    if configuration.judge == configuration.gate:
        problems.append("judge: is the gate too; the judge that evaluates must not have chosen the data (name another)")
    completions = configuration.train.batch_size * configuration.train.gradient_accumulation
    if "rlhf" in configuration.methods and completions % configuration.preference.generations:
        problems.append(
            f"preference.generations: must divide the {completions} answers of a step (train.batch_size x "
            "train.gradient_accumulation)"
        )
    if len(set(configuration.methods)) < len(configuration.methods):
        problems.append("methods: a method is named twice")
    return problems


def _guide_problems(key: str, stage: Any, names: list[str]) -> list[str]:
    from amends.prompts import guides

    try:
        guides(stage, names)
    except InputError as error:
        return [f"{key}: {error}"]
    return []


def _limit_sets(content: dict[str, Any], limit: int) -> None:
    suites = content.get("suites")
    sets = [content.get("instructions"), content.get("benign"), *(suites.values() if isinstance(suites, dict) else [])]
    for one in sets:
        if isinstance(one, dict):
            given = one.get("limit")
            one["limit"] = min(limit, given) if isinstance(given, int) else limit
