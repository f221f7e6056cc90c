"""What all trainings are told; what one trainer alone is told stands beside it."""

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from amends.settings import Settings
from amends.training.trackers import Tracker


class TrainSettings(Settings):
    """Fine-tuning. Rank and rate suit the embedded model; configuration `7b` has what is usual for 7B.

    With `max_steps` or `max_tokens` every method gets the same number of optimizer steps, or of tokens read in
    training (to a step; rlhf at most so many, since its completions may end early). Without them it has `epochs` over
    its samples.
    """

    adapter: Literal["lora", "full"] = Field(
        default="lora",
        description="A LoRA adapter, or all weights: about 16 bytes a parameter, so that 7B needs more than 80 GB.",
    )
    rank: int = Field(default=16, ge=1, description="The adapter's rank.")
    alpha: int = Field(default=32, ge=1, description="The adapter's alpha: its weight is alpha by rank.")
    target_modules: str | list[str] = Field(
        default="all-linear", description="The layers that get an adapter, or a list of names: `[q_proj, v_proj]`."
    )
    learning_rate: float = Field(
        default=5e-4, gt=0, description="It suits the embedded model; 7B wants less (configuration `7b`)."
    )
    epochs: float = Field(default=2.0, gt=0, description="Passes over each method's own samples.")
    max_steps: int | None = Field(
        default=None, ge=1, description="Instead of epochs: optimizer steps, the same for every method."
    )
    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Instead of epochs or steps: tokens read in training, the same for every method; of rlhf the most.",
    )
    batch_size: int = Field(default=16, ge=1, description="Samples a batch, of whatever length.")
    gradient_accumulation: int = Field(default=1, ge=1, description="Batches an optimizer step.")
    micro_batch_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Tokens that are computed at once, with padding: a batch is cut into pieces of so many, with the "
        "gradient of the whole. Memory goes with it. Without it, what this machine's memory and caches suggest.",
    )
    warmup_share: float = Field(
        default=0.05, ge=0, lt=1, description="The share of the steps in which the learning rate rises."
    )
    max_length: int = Field(default=1024, ge=8, description="Tokens of a sample; longer ones are refused, none is cut.")
    stop_at_verdict: float | None = Field(
        default=None,
        gt=0.5,
        le=1,
        description="End where the model's own verdict is learnt: its AUROC on 15% of the instructions, which are held "
        "out. Of methods that train verdicts; others, and those that do not come so far, end as without it.",
    )
    verdict_steps: int = Field(default=10, ge=1, description="Steps between two looks at the verdict.")
    verdict_weight: float = Field(
        default=1.0,
        ge=1,
        le=1_000,
        description="As how many tokens the word of the verdict counts with which an analysis opens. Of methods that "
        "train analyses; the loss that is logged stays that of 1.",
    )
    save_steps: int = Field(default=25, ge=1, description="Steps between checkpoints.")
    quantization: Literal["4bit"] | None = Field(
        default=None,
        description="The base in 4 bits while an adapter is trained on it (QLoRA): less memory, more time. It wants "
        "bitsandbytes (`amends[quantized]`). What was trained answers on the base in 16 bits.",
    )
    gradient_checkpointing: Literal["auto"] | bool = Field(
        default="auto",
        description="Less memory, more time. By itself where one sample would not fit into this machine without.",
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        default="auto",
        description="Processes that share each step, on one machine: by itself one a GPU, and one on a CPU. A launcher "
        "(torchrun) starts those of several machines.",
    )
    report_to: list[Tracker] = Field(
        default=[],
        description="Where losses are also reported, as transformers names it: `trackio`, `tensorboard`, `wandb` or "
        "`mlflow`. Each is a package (`amends[trackers]` has all), and some send what they get to a server.",
    )

    @field_validator("target_modules")
    @classmethod
    def _one_name(cls, value: str | list[str]) -> str | list[str]:
        """One name is a list of one: PEFT takes a text for a pattern of whole paths, and `v_proj` alone is no layer."""
        return [value] if isinstance(value, str) and value.isidentifier() else value

    @model_validator(mode="after")
    def _one_budget(self) -> "TrainSettings":
        if self.max_steps and self.max_tokens:
            raise PydanticCustomError("budget", "name max_steps or max_tokens, not both")
        if self.quantization and self.adapter == "full":
            raise PydanticCustomError("quantization", "weights in 4 bits are not trained; name adapter=lora, or null")
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
