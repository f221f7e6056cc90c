"""One member's training through transformers' Trainer: steps in pieces, checkpoints, the same bytes after a resume."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amends.progress import ProgressCallback
from amends.training.checkpoints import last_checkpoint, seal_checkpoint
from amends.training.classifier.network import loss_of
from amends.training.classifier.settings import ClassifierSettings
from amends.training.classifier.units import Unit, pieces, tensors_of
from amends.training.recipe import Recipe, check_finite, leave_inputs, silence
from amends.training.settings import TrainSettings


def steps_of(settings: ClassifierSettings, units: int) -> int:
    """Optimizer steps of a member."""
    return settings.max_steps or max(1, math.ceil(settings.epochs * math.ceil(units / settings.batch_size)))


def train_member(
    model: Any,
    units: Sequence[Unit],
    directory: Path,
    settings: ClassifierSettings,
    seed: int,
    progress: ProgressCallback,
) -> list[float]:
    """Tunes the network in place; checkpoints go to `directory`, and an interrupted training goes on from them.

    `seed` draws the order of the units. Returns the loss curve. Raises TrainingError where weights are no numbers.
    """
    from transformers import Trainer, TrainingArguments

    from amends.training.order import resumable

    class Pieces(resumable(Trainer)):  # type: ignore[misc]  # the libraries have no types
        """A step's gradient is that of all its units, whatever pieces fit the budget."""

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            model.train()
            units, total = inputs["units"], 0.0
            labelled = sum(one.weight > 0 for unit in units for one in unit)
            for piece in pieces(units, settings.token_budget):
                with self.compute_loss_context_manager():
                    logits = model(**tensors_of(piece, self.args.device))
                    loss = loss_of(logits.float(), piece, labelled, len(units), settings.pair_weight)
                self.accelerator.backward(loss)
                total = total + loss.detach()
            return total

    train = TrainSettings(
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        warmup_share=settings.warmup_share,
        save_steps=settings.save_steps,
    )
    recipe = Recipe(model=settings.model, train=train, seed=seed)
    arguments = recipe.arguments(
        TrainingArguments,
        directory,
        settings.learning_rate,
        steps_of(settings, len(units)),
        remove_unused_columns=False,
        include_num_input_tokens_seen="no",
    )
    trainer = Pieces(
        model=model, args=arguments, train_dataset=list(units), data_collator=lambda found: {"units": found}
    )
    silence(trainer)
    leave_inputs(model)
    trainer.add_callback(_reporter(progress))
    trainer.train(resume_from_checkpoint=last_checkpoint(directory))
    check_finite(model)
    return [round(float(entry["loss"]), 5) for entry in trainer.state.log_history if "loss" in entry]


def _reporter(progress: ProgressCallback) -> Any:
    """Reports steps, and seals checkpoints."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step, 0)

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            progress(1, 0)
            if control.should_save:
                check_finite(model)
                control.should_log = True  # so that the curve is the same after a resume

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            seal_checkpoint(Path(args.output_dir), state.global_step)

    return Reporter()
