"""Supervised fine-tuning through TRL's SFTTrainer with a PEFT adapter: loss on completions, checkpoints, resume."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from amends.config import TrainSettings
from amends.models.loading import ModelSource, best_device, best_dtype, find_model, load_model, load_tokenizer
from amends.protocols import ProgressCallback, no_progress
from amends.records import Sample
from amends.store import write_atomically
from amends.training.samples import TokenizedSample, tokenize_samples

# Up to this length plain attention is faster than the fused kernel's backward pass on CPU: a step took 8.5 s instead of
# 10.3 s (docs/log.md). Its memory grows with the square of the length: 16 samples of 256 tokens keep 1.7 GB.
EAGER_TOKENS = 256


def train_sft(
    model_name: str,
    samples: Iterable[Sample],
    output: Path,
    settings: TrainSettings,
    seed: int,
    fingerprint: str,
    progress: ProgressCallback = no_progress,
) -> dict[str, Any]:
    """Trains on the samples and writes a PEFT adapter directory (or, in full, a model directory) to `output`.

    Checkpoints lie in `output.part/` while it trains; an interrupted training goes on from the last one, with the same
    bytes at the end; checkpoints of another `fingerprint` (samples, settings, seed) are thrown away. `output` appears
    whole, by renaming; the caller removes `output.part/`. Returns tokens, steps and the loss curve.

    Raises:
        SampleError: a sample would be cut off or has nothing that carries loss; nothing is trained then.
    """
    source = find_model(model_name)
    tokenizer = load_tokenizer(source)
    tokenized = tokenize_samples(samples, tokenizer, settings.max_length)
    part = _own_part(output, fingerprint)
    trainer = make_trainer(source, tokenizer, tokenized, part, settings, seed)
    trainer.add_callback(_step_reporter(progress, sum(len(sample.input_ids) for sample in tokenized)))
    trainer.train(resume_from_checkpoint=_last_checkpoint(part))
    facts = _facts(tokenized, trainer, settings)
    _write_output(trainer, tokenizer, part, output, full=settings.adapter == "full")
    return facts


def make_trainer(
    source: ModelSource,
    tokenizer: Any,
    tokenized: list[TokenizedSample],
    directory: Path,
    settings: TrainSettings,
    seed: int,
) -> Any:
    """The trainer that `train_sft` runs: checkpoints go to `directory`."""
    import torch
    from peft import LoraConfig
    from trl import SFTConfig

    from amends.training.trainer import CompletionTrainer

    tokenizer.padding_side = "right"
    model = load_model(source)
    model.config.use_cache = False
    if model.device.type == "cpu" and max(len(sample.input_ids) for sample in tokenized) <= EAGER_TOKENS:
        model.set_attn_implementation("eager")
    if settings.adapter == "full":
        model = model.float()  # bfloat16 weights cannot hold the small steps of full fine-tuning
    device = best_device()
    arguments = SFTConfig(
        output_dir=str(directory),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=settings.warmup_share,
        weight_decay=0.0,
        max_length=None,  # lengths were checked; nothing is cut
        completion_only_loss=True,
        train_sampling_strategy="group_by_length",
        gradient_checkpointing=settings.gradient_checkpointing,
        use_cpu=device == "cpu",
        bf16=device == "cuda" and best_dtype(device) == torch.bfloat16,
        fp16=False,
        save_steps=settings.save_steps,
        save_total_limit=1,
        logging_steps=1,
        logging_strategy="steps",
        disable_tqdm=True,
        report_to="none",
        seed=seed % 2**31,
        data_seed=seed % 2**31,
        dataloader_pin_memory=device == "cuda",
    )
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=settings.target_modules,
        task_type="CAUSAL_LM",
    )
    trainer = CompletionTrainer(
        model=model,
        args=arguments,
        train_dataset=_dataset(tokenized),
        processing_class=tokenizer,
        peft_config=lora if settings.adapter == "lora" else None,
    )
    _without_printing(trainer)
    return trainer


def _own_part(output: Path, fingerprint: str) -> Path:
    part = output.with_name(output.name + ".part")
    mark = part / "fingerprint"
    if part.exists() and (not mark.exists() or mark.read_text() != fingerprint):
        shutil.rmtree(part)
    write_atomically(mark, fingerprint)
    return part


def _dataset(tokenized: list[TokenizedSample]) -> Any:
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [sample.input_ids for sample in tokenized],
            "labels": [sample.labels for sample in tokenized],
            "length": [len(sample.input_ids) for sample in tokenized],
        }
    )


def _last_checkpoint(part: Path) -> str | None:
    """The newest checkpoint that was written whole: the trainer's state is the last file of one."""
    found = [path for path in part.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
    whole = [path for path in found if _readable(path / "trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _readable(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return True


def _facts(tokenized: list[TokenizedSample], trainer: Any, settings: TrainSettings) -> dict[str, Any]:
    losses = [entry for entry in trainer.state.log_history if "loss" in entry]
    targets = sum(len(sample.input_ids) - sample.prompt_tokens for sample in tokenized)
    return {
        "samples": len(tokenized),
        "tokens_per_epoch": sum(len(sample.input_ids) for sample in tokenized),
        "target_tokens_per_epoch": targets,
        "steps": trainer.state.global_step,
        "epochs": settings.epochs,
        "trainable_parameters": sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
        "log": [{"step": entry["step"], "loss": round(float(entry["loss"]), 6)} for entry in losses],
    }


def _write_output(trainer: Any, tokenizer: Any, part: Path, output: Path, full: bool) -> None:
    finished = part / "finished"
    trainer.model.save_pretrained(finished)
    if full:
        tokenizer.save_pretrained(finished)
    shutil.rmtree(output, ignore_errors=True)
    finished.replace(output)


def _without_printing(trainer: Any) -> None:
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def _step_reporter(progress: ProgressCallback, tokens_per_epoch: int) -> Any:
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(1, round(tokens_per_epoch * state.num_train_epochs / state.max_steps))

    return Reporter()
