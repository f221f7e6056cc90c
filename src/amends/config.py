"""The configuration of a run: its sections, their defaults, and where these come from."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from amends.protocols import Sampling
from amends.records import Inference, SuiteKind

MethodName = Literal[
    "vanilla",
    "sft",
    "mistake-analysis",
    "mistake-analysis-plus",
    "critique-revise",
    "chain-of-hindsight",
    "dpo",
    "rlhf",
]


Source = Literal["own", "origin", "both"]
"""Whose texts: the model's, the data set's, or the data set's where they pass the gate and the model's elsewhere."""


Seed = Annotated[int, Field(ge=0, lt=2**31)]


class Settings(BaseModel):
    """Base of all sections: unknown keys fail, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataSettings(Settings):
    """A set of rows: `bundled:NAME/SPLIT`, a JSONL, JSON or Parquet file, or a hub id.

    `columns` maps our names (id, prompt, chosen, rejected, category) to the file's; well-known formats need none.
    """

    source: str
    columns: dict[str, str] | None = None
    split: str | None = None
    limit: int | None = Field(default=None, ge=1)
    distinct_prompts: bool = False


class SuiteSettings(DataSettings):
    """A named set of evaluation prompts. Its kind says what is measured on it."""

    kind: SuiteKind


class SamplingSettings(Settings):
    """How a stage draws tokens. Temperature .7 is the temperature at which the embedded model's yields were measured."""

    max_new_tokens: int = Field(default=64, ge=1, le=4096)
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)

    def sampling(self) -> Sampling:
        """What a generator is told of it."""
        return Sampling(self.max_new_tokens, self.temperature, self.top_p)


class InduceSettings(SamplingSettings):
    """Guided mistake induction. The guides' order is by measured yield (docs/methods.md)."""

    max_new_tokens: int = Field(default=40, ge=1, le=4096)
    source: Source = "own"
    guides: list[str] = Field(default=["plain", "direct-should", "should-prefill", "unethical-system"], min_length=1)
    attempts: int = Field(default=8, ge=1, le=100)


class AnalyzeSettings(SamplingSettings):
    """Guided analysis of each mistake: `per_mistake` of them, by the model itself or by `source`, another model or
    endpoint:MODEL@URL (with guides that have no prefill)."""

    source: str = "self"
    per_mistake: int = Field(default=1, ge=1, le=16)
    guides: list[str] = Field(default=["told-suffix-prefill", "reviewer-system-prefill"], min_length=1)
    attempts: int = Field(default=6, ge=1, le=100)


class SafeSettings(SamplingSettings):
    """Safe texts. `at_least` is the gate's probability of harmless from which one passes."""

    attempts: int = Field(default=6, ge=1, le=100)
    at_least: float = Field(default=0.6, gt=0, lt=1)


class ReviseSettings(SafeSettings):
    """Critique and revision of each mistake."""


class AnswerSettings(SafeSettings):
    """Safe answers: the data set's where they pass the gate and the model's own elsewhere, or one of the two alone."""

    source: Source = "both"
    guides: list[str] = Field(default=["reminder"], min_length=1)


class ComposeSettings(Settings):
    """Copies of each kind of sample in the pool: 1 takes each row once, .5 half of them, 2 each twice."""

    safe: float = Field(default=1.0, ge=0, le=10)
    benign: float = Field(default=1.0, ge=0, le=10)
    analysis: float = Field(default=1.0, ge=0, le=10)
    answer: float = Field(default=1.0, ge=0, le=10)
    revised: float = Field(default=1.0, ge=0, le=10)
    hindsight: float = Field(default=1.0, ge=0, le=10)
    preference: float = Field(default=1.0, ge=0, le=10)


class TrainSettings(Settings):
    """Fine-tuning. Rank and rate suit the embedded model; configs/7b.yaml has what is usual for 7B.

    With `max_steps` or `max_tokens` every method gets the same number of optimizer steps, or of tokens read in training
    (to a step; rlhf at most so many, since its completions may end early); without, `epochs` over its samples.
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

    @property
    def rows_a_step(self) -> int:
        """Samples, or completions of a policy, that an optimizer step takes."""
        return self.batch_size * self.gradient_accumulation

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

    def fill(self, train: TrainSettings) -> bool:
        """Whether a step of RLHF is filled by whole groups of answers to a prompt."""
        return train.rows_a_step % self.generations == 0


class RespondSettings(SamplingSettings):
    """Answers to the suites' prompts. `guide` is the reminder of guided inference."""

    guide: str = "reminder"
    inference: list[Inference] = Field(default=["unguided", "guided"], min_length=1)


class Configuration(Settings):
    """A whole experiment: one model, one set of training instructions, several methods, several suites.

    `system_prompt` is what the model is deployed with: the system turn of all that it is asked and trained on.
    `limit` caps the rows of every set, for a quick try.
    With `seeds`, all of it once for each seed, and results over all of them; `seed` is then not used. With `variants`, all
    of it once for each: a name, and the keys that differ, as in `unguided: {analyze.guides: [unguided]}`.
    """

    model: str = "embedded"
    system_prompt: str | None = Field(default=None, pattern=r"\S")
    seed: Seed = 0
    seeds: list[Seed] = []
    limit: int | None = Field(default=None, ge=1)
    variants: dict[str, dict[str, Any]] = {}
    instructions: DataSettings
    benign: DataSettings | None = None
    suites: dict[str, SuiteSettings] = Field(min_length=1)
    methods: list[MethodName] = Field(default=["vanilla", "sft", "mistake-analysis"], min_length=1)
    judge: str = "probe"
    gate: str = "gate"
    induce: InduceSettings = InduceSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
    revise: ReviseSettings = ReviseSettings()
    answer: AnswerSettings = AnswerSettings()
    compose: ComposeSettings = ComposeSettings()
    train: TrainSettings = TrainSettings()
    preference: PreferenceSettings = PreferenceSettings()
    respond: RespondSettings = RespondSettings()

    @field_validator("suites", mode="before")
    @classmethod
    def _those_that_are_measured(cls, suites: Any) -> Any:
        """Without the suites that are null: so an override leaves one out."""
        return {name: one for name, one in suites.items() if one is not None} if isinstance(suites, dict) else suites

    @property
    def shares(self) -> dict[str, float]:
        """Copies of each kind of sample."""
        return self.compose.model_dump()

    def training_sets(self) -> dict[str, DataSettings]:
        """The sets that are trained on, by the names of their files."""
        return {"instructions": self.instructions} | ({"benign": self.benign} if self.benign else {})
