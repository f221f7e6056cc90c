"""Direct preference optimization through TRL's DPOTrainer: the safe answer against the mistake.

The reference is the model that training begins from; its log-probabilities are computed once, before the first step.
Source: Rafailov et al. 2023, arXiv 2305.18290; huggingface.co/docs/trl/dpo_trainer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from amends.records import Preference, Sample
from amends.settings import Settings
from amends.training.recipe import Recipe, leave_inputs
from amends.training.tokenize import TokenizedSample
from amends.training.tokenized import Tokenized
from amends.training.trainers.base import TRAINERS, Trainer, sharing_batches


class DpoSettings(Settings):
    """What dpo has beside `train`. The rate is a tenth of supervised fine-tuning's, as is usual."""

    beta: float = Field(default=0.1, gt=0, description="The beta of dpo, as in its paper.")
    dpo_learning_rate: float = Field(default=5e-5, gt=0, description="The learning rate of dpo.")


def columns(sample: Sample, tokens: Sequence[TokenizedSample], tokenizer: Any) -> dict[str, Any]:
    """A row of the trainer's."""
    chosen, rejected = tokens
    return {
        "prompt_ids": chosen.input_ids[: chosen.prompt_tokens],
        "chosen_ids": chosen.input_ids[chosen.prompt_tokens :],
        "rejected_ids": rejected.input_ids[rejected.prompt_tokens :],
    }


def make_trainer(tokenized: Tokenized, tokenizer: Any, directory: Path, recipe: Recipe) -> Any:
    """The trainer; checkpoints go to `directory`."""
    from trl import DPOConfig, DPOTrainer

    from amends.training.micro_batches import in_micro_batches
    from amends.training.output_layer import score_labels_alone

    class TokenizedDPOTrainer(DPOTrainer):  # type: ignore[misc]  # TRL has no types
        """Takes token ids as they are, so that training sees what the other methods and inference see."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _precompute_ref_logps(self, *args: Any) -> Any:
            # Here, since the constructor makes the model ready and scores at once.
            score_labels_alone(self.model)
            leave_inputs(self.model)
            return super()._precompute_ref_logps(*args)

    own = recipe.told(DpoSettings)
    _, token_budget = recipe.memory()
    return in_micro_batches(TokenizedDPOTrainer, token_budget, sides=2)(
        model=recipe.load(tokenized.longest),
        args=recipe.arguments(
            DPOConfig,
            directory,
            own.dpo_learning_rate,
            recipe.train.steps(len(tokenized.rows), tokenized.tokens),
            beta=own.beta,
            max_length=None,
            precompute_ref_log_probs=True,
        ),
        train_dataset=tokenized.rows,
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )


TRAINERS.register(
    "dpo",
    Trainer(
        "dpo",
        columns,
        make_trainer,
        record=Preference,
        settings=DpoSettings,
        processes=sharing_batches,
        shards=True,
        logged={"loss": "loss", "rewards/accuracies": "accuracy"},
    ),
)
