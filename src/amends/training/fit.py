"""Training as a job over a directory: checkpoints, resume, progress, the finished adapter, and the facts about it."""

import gc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amends.artifacts import Part
from amends.errors import SampleError
from amends.models.loading import load_tokenizer
from amends.protocols import ProgressCallback, no_progress
from amends.records import Preference, Sample, Trainer
from amends.training import dpo, rlhf, sft
from amends.training.recipe import Recipe, check_finite, checkpoint_steps, last_checkpoint, silence
from amends.training.tokenized import Columns, Tokenized, tokenize_samples

TABLE = "samples.arrow"


@dataclass(frozen=True)
class Way:
    """One trainer.

    Attributes:
        columns: a row of the trainer's from a sample's tokens.
        make_trainer: takes tokenized samples, tokenizer, directory and recipe.
        record: a row that it trains on.
        told: the settings of `preference` that it is told.
        prepare: trains what it needs, before it is made, and returns facts about that.
        steps: those to report progress on, the preparation's among them, for a recipe and a number of rows.
        padding_side: of its tokenizer.
    """

    columns: Columns
    make_trainer: Callable[..., Any]
    record: type[Sample] = Preference
    told: tuple[str, ...] = ()
    prepare: Callable[..., dict[str, Any]] | None = None
    steps: Callable[[Recipe, int], int] = lambda recipe, rows: recipe.train.steps(rows, 0)
    padding_side: str = "right"


WAYS: dict[Trainer, Way] = {
    "sft": Way(sft.columns, sft.make_trainer, Sample),
    "dpo": Way(dpo.columns, dpo.make_trainer, told=dpo.TOLD),
    "rlhf": Way(
        rlhf.columns, rlhf.make_trainer, told=rlhf.TOLD, prepare=rlhf.prepare, steps=rlhf.all_steps, padding_side="left"
    ),
}


def fit(
    kind: Trainer,
    samples: Iterable[Sample],
    output: Path,
    recipe: Recipe,
    fingerprint: str,
    progress: ProgressCallback = no_progress,
) -> dict[str, Any]:
    """Trains on the samples and writes a PEFT adapter directory (or, in full, a model directory) to `output`.

    TRL's trainers bind a model's forward to the model, a cycle that would keep its weights: they are collected here.
    Checkpoints lie in `output.part/` while it trains; an interrupted training goes on from the last one, with the same
    bytes at the end; checkpoints of another `fingerprint` (samples, settings, seed) are thrown away. `output` appears
    whole, by renaming; the caller removes `output.part/`. Returns tokens, steps and the loss curve.

    Args:
        kind: of `WAYS`.

    Raises:
        SampleError: a sample would be cut off or has nothing that carries loss; nothing is trained then.
        StoreError: `output.part/` is somebody else's.
        TrainingError: trained weights are no numbers any more; nothing is written then.
    """
    way, prepared = WAYS[kind], {}
    tokenizer = load_tokenizer(recipe.source)
    tokenizer.padding_side = way.padding_side
    part, coming = Part(output, fingerprint), output.with_name(f".{output.name}.samples")
    table = part.path / TABLE
    part.refuse_foreign()
    if part.is_begun():
        table.unlink(missing_ok=True)  # what comes is equal, and a full device has no room for both
    try:
        tokenized = tokenize_samples(samples, way.columns, tokenizer, recipe.train.max_length, coming)
        part.claim()  # not before: samples that are refused cost no earlier training
        tokenized = tokenized.moved(table)
    finally:
        coming.unlink(missing_ok=True)
    progress(steps_done(part), 0)
    if way.prepare:
        prepared = way.prepare(tokenized, tokenizer, part.path, recipe, _step_reporter(progress, tokenized.tokens))
        gc.collect()
    trainer = way.make_trainer(tokenized, tokenizer, part.path, recipe)
    silence(trainer)
    trainer.add_callback(_step_reporter(progress, tokenized.tokens))
    trainer.train(resume_from_checkpoint=last_checkpoint(part.path))
    if not trainer.state.global_step:
        raise SampleError(
            f"{len(tokenized.rows)} samples made no whole step; lower train.batch_size (--batch-size) or add some"
        )
    check_finite(trainer.model)
    untold = load_tokenizer(replace(recipe.source, system_prompt=None))  # it is asked for again wherever it belongs
    _write_output(trainer, untold, part, full=recipe.train.adapter == "full")
    facts = _facts(tokenized, trainer) | _pairs(tokenized, way)
    del trainer
    gc.collect()
    return facts | prepared


def steps_done(part: Part) -> int:
    """Steps of that very training that lie in its part, those of its reward model among them."""
    if not part.is_begun():
        return 0
    return checkpoint_steps(last_checkpoint(part.path)) + rlhf.reward_steps_done(part.path / "reward")


def _facts(tokenized: Tokenized, trainer: Any) -> dict[str, Any]:
    """`trained_tokens`: tokens of all samples over the epochs that ran; on-policy, those that the trainer counted."""
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    on_policy = [entry["num_tokens"] for entry in losses if "completion_length" in entry or "reward" in entry]
    return {
        "samples": len(tokenized.rows),
        "tokens_per_epoch": tokenized.tokens,
        "target_tokens_per_epoch": sum(tokenized.lengths.target),
        "trained_tokens": int(on_policy[-1])
        if on_policy
        else round(tokenized.tokens * float(trainer.state.epoch or 0)),
        "steps": trainer.state.global_step,
        "epochs": round(float(trainer.state.epoch or 0), 3),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "log": [{"step": entry["step"], **_curve(entry)} for entry in losses],
    }


def _pairs(tokenized: Tokenized, way: Way) -> dict[str, Any]:
    """Of preferences, in what share the chosen completion is the longer one: where it is near 1, length alone tells."""
    if way.record is not Preference:
        return {}
    target = tokenized.lengths.target
    longer = sum(chosen > rejected for chosen, rejected in zip(target[::2], target[1::2], strict=True))
    return {"chosen_longer": round(2 * longer / len(target), 4)}


def _curve(entry: dict[str, Any]) -> dict[str, float]:
    names = {"loss": "loss", "reward": "reward", "kl": "kl", "rewards/accuracies": "accuracy"}
    return {ours: round(float(entry[theirs]), 6) for theirs, ours in names.items() if theirs in entry}


def _write_output(trainer: Any, tokenizer: Any, part: Part, full: bool) -> None:
    if full:
        trainer.model.save_pretrained(part.finished)
        tokenizer.save_pretrained(part.finished)
    else:
        trainer.model.save_pretrained(part.finished, selected_adapters=["default"])  # not the frozen reference's copy
    part.put()


def _step_reporter(progress: ProgressCallback, tokens_per_epoch: int) -> Any:
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            progress(1, round(tokens_per_epoch * state.num_train_epochs / state.max_steps))
            if control.should_save:  # at the end, too
                check_finite(model)  # a checkpoint of weights that are no numbers is not written
                control.should_log = True  # the curve ends where the training does, and is the same after a resume

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, model: Any = None, **_: Any) -> None:
            if not math.isfinite(logs.get("loss", 0.0)):
                check_finite(model)

    return Reporter()
