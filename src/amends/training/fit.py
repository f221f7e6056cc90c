"""Training as a job over a directory: checkpoints, resume, progress, the finished adapter, and the facts about it."""

import gc
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from amends.errors import SampleError
from amends.models.loading import load_tokenizer
from amends.models.weights import weights_digest
from amends.progress import ProgressCallback, no_progress
from amends.records import Sample
from amends.storage.unfinished import Part
from amends.training import ranks
from amends.training.checkpoints import checkpoint_for_all, checkpoint_steps, last_checkpoint, seal_checkpoint
from amends.training.environment import leave_out
from amends.training.processes import together
from amends.training.quantization import digest_of_whole, widen
from amends.training.recipe import Recipe, check_equal, check_finite, silence
from amends.training.tokenized import Tokenized, tokenize_samples
from amends.training.trackers import reported
from amends.training.trainers.base import TRAINERS, Trainer
from amends.training.verdict import VerdictWatch

TABLE = "samples.arrow"


def fit(
    kind: str,
    samples: Iterable[Sample],
    output: Path,
    recipe: Recipe,
    fingerprint: str,
    progress: ProgressCallback = no_progress,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Trains on the samples and writes a PEFT adapter directory (or, in full, a model directory) to `output`.

    The processes of `recipe.processes` compute it, of which this one alone reads samples and writes.
    TRL's trainers bind a model's forward to the model, a cycle that would keep its weights: they are collected here.
    Checkpoints lie in `output.part/` while it trains; an interrupted training goes on from the last one, with the same
    bytes at the end; checkpoints of another `fingerprint` (samples, settings, seed) are thrown away. `output` appears
    whole and on the device, by renaming; the caller, whose manifest must not have vouched for it since before, removes
    `output.part/`. Returns tokens, steps and the loss curve.

    Args:
        kind: the trainer's name.
        say: is told, before the first step, what is computed at once and how much memory that takes.

    Raises:
        InputError: there is no such trainer.
        SampleError: a sample would be cut off or has nothing that carries loss; nothing is trained then.
        StoreError: `output.part/` is somebody else's.
        TrainingError: trained weights are no numbers any more, or a process ended; nothing is written then.
    """
    leave_out()  # of a notebook's environment, too
    way, part, coming = TRAINERS[kind], Part(output, fingerprint), output.with_name(f".{output.name}.samples")
    tokenizer = load_tokenizer(recipe.source)
    table = part.path / TABLE
    watch = VerdictWatch(recipe.train, recipe.language) if recipe.train.stop_at_verdict else None
    part.refuse_foreign()
    if part.is_begun():
        table.unlink(missing_ok=True)  # what comes is equal, and a full device has no room for both
    try:
        tokenized = tokenize_samples(
            watch.kept(samples) if watch else samples,
            way.columns,
            tokenizer,
            recipe.train.max_length,
            coming,
            recipe.language,
            recipe.train.verdict_weight,
        )
        part.claim()  # not before: samples that are refused cost no earlier training
        tokenized = tokenized.moved(table)
    finally:
        coming.unlink(missing_ok=True)
    sides = 2 if way.compares else 1
    recipe = recipe.decided(sides * tokenized.longest)
    say(recipe.memory_in_words(sides * tokenized.longest))
    progress(steps_done(part, way), 0)
    job = Job(kind, tokenized, part.path, recipe, watch)
    with reported(recipe.train.report_to, output), together(recipe.processes, job, part.path):
        trainer, weights, facts = compute(job, progress)
        _write_output(trainer, weights, part, recipe)
        facts |= _facts(tokenized, trainer, way) | _pairs(tokenized, way)
        del trainer
    gc.collect()
    return facts | (watch.facts if watch else {})


@dataclass(frozen=True)
class Job:
    """A training as each of its processes is told of it; `directory` is where checkpoints lie."""

    kind: str
    tokenized: Tokenized
    directory: Path
    recipe: Recipe
    watch: VerdictWatch | None


def compute(job: Job, progress: ProgressCallback = no_progress) -> tuple[Any, dict[str, Any] | None, dict[str, Any]]:
    """Trains in this process, beside the others of its group.

    Returns the trainer behind its last step, the weights where each process holds shards of them, and facts.

    Raises:
        SampleError: there are fewer samples than one step takes.
        TrainingError: trained weights are no numbers any more, or differ between processes.
    """
    way, recipe, facts = TRAINERS[job.kind], job.recipe, {}
    tokenizer = load_tokenizer(recipe.source)
    tokenizer.padding_side = way.padding_side
    if way.prepare:
        facts = way.prepare(job.tokenized, tokenizer, job.directory, recipe, step_reporter(progress))
        gc.collect()
    trainer = way.make_trainer(job.tokenized, tokenizer, job.directory, recipe)
    if recipe.train.quantization:
        widen(trainer.model)
        facts["untouched"] = digest_of_whole(recipe.source) if ranks.is_first() else ""
    else:
        facts["untouched"] = weights_digest(trainer.model)  # before a checkpoint is read
    silence(trainer)
    trainer.add_callback(step_reporter(progress))
    if job.watch:
        trainer.add_callback(job.watch.callback(tokenizer))  # behind the reporter, which wants checkpoints at the end
    trainer.train(resume_from_checkpoint=checkpoint_for_all(job.directory))
    if not trainer.state.global_step:
        raise SampleError(
            f"{len(job.tokenized.rows)} samples made no whole step; lower train.batch_size (--batch-size) or add some"
        )
    check_finite(trainer.model)
    check_equal(trainer.model)
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped) if sharded else None
    return trainer, weights, facts


def steps_done(part: Part, way: Trainer) -> int:
    """Steps of that very training that lie in its part, those of its preparation among them."""
    if not part.is_begun():
        return 0
    return checkpoint_steps(last_checkpoint(part.path)) + way.prepared_steps(part.path)


def _facts(tokenized: Tokenized, trainer: Any, way: Trainer) -> dict[str, Any]:
    """`trained_tokens`: of prompts and completions, counted as they were read; `untouched` is said of the weights."""
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    return {
        "samples": len(tokenized.rows),
        "tokens_per_epoch": tokenized.tokens,
        "target_tokens_per_epoch": sum(tokenized.lengths.target),
        "trained_tokens": int(trainer.state.num_input_tokens_seen),
        "steps": trainer.state.global_step,
        "epochs": round(float(trainer.state.epoch or 0), 3),
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "log": [{"step": entry["step"], **_curve(entry, way)} for entry in losses],
    }


def _pairs(tokenized: Tokenized, way: Trainer) -> dict[str, Any]:
    """Of preferences, in what share the chosen completion is the longer one: where it is near 1, length alone tells."""
    if not way.compares:
        return {}
    target = tokenized.lengths.target
    longer = sum(chosen > rejected for chosen, rejected in zip(target[::2], target[1::2], strict=True))
    return {"chosen_longer": round(2 * longer / len(target), 4)}


def _curve(entry: dict[str, Any], way: Trainer) -> dict[str, float]:
    return {ours: round(float(entry[theirs]), 6) for theirs, ours in way.logged.items() if theirs in entry}


def _write_output(trainer: Any, weights: dict[str, Any] | None, part: Part, recipe: Recipe) -> None:
    if recipe.train.adapter == "full":
        trainer.model.save_pretrained(part.finished, state_dict=weights)
        untold = load_tokenizer(replace(recipe.source, system_prompt=None))  # it is asked for again where it belongs
        untold.save_pretrained(part.finished)
    else:
        for configuration in trainer.model.peft_config.values():
            sort_sets(configuration)
        own = ["default"]  # not the frozen reference's copy
        trainer.model.save_pretrained(part.finished, selected_adapters=own, state_dict=weights)
        (part.finished / "README.md").unlink(missing_ok=True)  # PEFT's, which names a path of this machine
    part.put()


def sort_sets(configuration: Any) -> None:
    """Of an adapter's configuration, such as its modules: so that equal trainings write equal bytes."""
    for name, value in vars(configuration).items():
        if isinstance(value, set):
            setattr(configuration, name, sorted(value))


def step_reporter(progress: ProgressCallback) -> Any:
    """Reports each step with the tokens that were read for it."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        seen = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.seen = state.num_input_tokens_seen  # of a checkpoint

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            progress(1, int(state.num_input_tokens_seen - self.seen))
            self.seen = state.num_input_tokens_seen
            if control.should_save:  # at the end, too
                check_finite(model)  # a checkpoint of weights that are no numbers is not written
                control.should_log = True  # the curve ends where the training does, and is the same after a resume

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            ranks.wait()  # each has written where its random streams stand
            if ranks.is_first():
                seal_checkpoint(Path(args.output_dir), state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, model: Any = None, **_: Any) -> None:
            if not math.isfinite(logs.get("loss", 0.0)):
                check_finite(model)

    return Reporter()
