"""Supervised fine-tuning through TRL's SFTTrainer: loss on completions only."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amends.records import Sample
from amends.training.recipe import Recipe, leave_inputs
from amends.training.tokenize import TokenizedSample
from amends.training.tokenized import Tokenized
from amends.training.trainers.base import TRAINERS, Trainer, sharing_batches


def columns(sample: Sample, tokens: Sequence[TokenizedSample], tokenizer: Any) -> dict[str, Any]:
    """A row of the trainer's."""
    (one,) = tokens
    row = {"input_ids": one.input_ids, "labels": one.labels}
    return row if one.weights is None else row | {"weights": one.weights}


def make_trainer(tokenized: Tokenized, tokenizer: Any, directory: Path, recipe: Recipe) -> Any:
    """The trainer; checkpoints go to `directory`."""
    from trl import SFTConfig, SFTTrainer

    from amends.training.micro_batches import in_micro_batches
    from amends.training.order import resumable
    from amends.training.output_layer import score_labels_alone
    from amends.training.token_weights import weighing_tokens

    arguments = recipe.arguments(
        SFTConfig,
        directory,
        recipe.train.learning_rate,
        recipe.train.steps(len(tokenized.rows), tokenized.tokens),
        max_length=None,  # lengths were checked; nothing is cut
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
    )
    _, token_budget = recipe.memory()
    kind = resumable(SFTTrainer if recipe.train.verdict_weight == 1 else weighing_tokens(SFTTrainer))
    trainer = in_micro_batches(kind, token_budget)(
        model=recipe.load(tokenized.longest),
        args=arguments,
        train_dataset=tokenized.rows,
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
    score_labels_alone(trainer.model)
    leave_inputs(trainer.model)
    return trainer


TRAINERS.register("sft", Trainer("sft", columns, make_trainer, processes=sharing_batches, shards=True))
