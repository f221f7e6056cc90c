"""Direct preference optimization through TRL's DPOTrainer: the safe answer against the mistake.

The reference is the model that training begins from; its log-probabilities are computed once, before the first step.
Source: Rafailov et al. 2023, arXiv 2305.18290; huggingface.co/docs/trl/dpo_trainer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amends.records import Sample
from amends.training.recipe import Recipe
from amends.training.samples import TokenizedSample
from amends.training.tokenized import Tokenized

TOLD = ("beta", "dpo_learning_rate")


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

    from amends.training.output_layer import score_labels_alone

    class TokenizedDPOTrainer(DPOTrainer):  # type: ignore[misc]  # TRL has no types
        """Takes token ids as they are, so that training sees what the other methods and inference see."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _precompute_ref_logps(self, *args: Any) -> Any:
            score_labels_alone(self.model)  # here, since the constructor makes the model ready and scores at once
            return super()._precompute_ref_logps(*args)

    return TokenizedDPOTrainer(
        model=recipe.load(tokenized.longest),
        args=recipe.arguments(
            DPOConfig,
            directory,
            recipe.preference.dpo_learning_rate,
            recipe.train.steps(len(tokenized.rows), tokenized.tokens),
            beta=recipe.preference.beta,
            max_length=None,
            precompute_ref_log_probs=True,
        ),
        train_dataset=tokenized.rows,
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
