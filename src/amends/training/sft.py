"""Supervised fine-tuning through TRL's SFTTrainer: loss on completions only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amends.records import Sample
from amends.training.recipe import Recipe
from amends.training.samples import TokenizedSample

# Up to this length plain attention is faster than the fused kernel's backward pass on CPU: a step took 8.5 s instead of
# 10.3 s (docs/log.md). Its memory grows with the square of the length: 16 samples of 256 tokens keep 1.7 GB.
EAGER_TOKENS = 256


def make_trainer(
    samples: Sequence[Sample], tokenized: Sequence[TokenizedSample], tokenizer: Any, directory: Path, recipe: Recipe
) -> Any:
    """The trainer; checkpoints go to `directory`."""
    from datasets import Dataset
    from trl import SFTConfig

    from amends.training.trainer import CompletionTrainer

    model = recipe.load()
    if model.device.type == "cpu" and max(len(sample.input_ids) for sample in tokenized) <= EAGER_TOKENS:
        model.set_attn_implementation("eager")
    steps = recipe.budget(len(tokenized), sum(len(sample.input_ids) for sample in tokenized))
    arguments = SFTConfig(
        **recipe.arguments(directory, recipe.train.learning_rate, steps),
        max_length=None,  # lengths were checked; nothing is cut
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
    )
    rows = {
        "input_ids": [sample.input_ids for sample in tokenized],
        "labels": [sample.labels for sample in tokenized],
        "length": [len(sample.input_ids) for sample in tokenized],
    }
    return CompletionTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
