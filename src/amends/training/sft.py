"""Supervised fine-tuning through TRL's SFTTrainer: loss on completions only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amends.records import Sample
from amends.training.recipe import Recipe
from amends.training.samples import TokenizedSample


def make_trainer(
    samples: Sequence[Sample], tokenized: Sequence[TokenizedSample], tokenizer: Any, directory: Path, recipe: Recipe
) -> Any:
    """The trainer; checkpoints go to `directory`."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from amends.training.order import resumable
    from amends.training.output_layer import score_labels_alone

    steps = recipe.budget(len(tokenized), sum(len(sample.input_ids) for sample in tokenized))
    arguments = recipe.arguments(
        SFTConfig,
        directory,
        recipe.train.learning_rate,
        steps,
        max_length=None,  # lengths were checked; nothing is cut
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
    )
    rows = {
        "input_ids": [sample.input_ids for sample in tokenized],
        "labels": [sample.labels for sample in tokenized],
        "length": [len(sample.input_ids) for sample in tokenized],
    }
    trainer = resumable(SFTTrainer)(
        model=recipe.load(max(len(sample.input_ids) for sample in tokenized)),
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
    score_labels_alone(trainer.model)
    return trainer
