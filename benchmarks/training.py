"""Training beside its peers: the same samples for one epoch each, LoRA on the same layers, the last steps' loss shown.

    python -m benchmarks.training [--samples 48] [--turns 5] [--json]
    python -m benchmarks.training --data FILE [--data FILE] --samples 450 --steps 4

Peers: TRL's SFTTrainer as its defaults have it (float32, batches of 8, gradient checkpointing), and its documented
recipe for speed (bfloat16 weights where the machine computes in it, no checkpointing, packing). Over data of your own
all have steps of 16 samples and adapters on all linear layers; the longest samples come first. TRL then has the
settings that are its best for long samples: grouped by length, in batches of 1 and 4. With --whole both compute batches
of 16 at once, too.
The trainers are built anew each turn; only `train()` is timed. Tokens are those of the samples: padding does not count.
Memory is the most that the process held until then, so that a later contestant's can be an earlier one's.
"""

import argparse
import logging
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import disable_progress_bars
from transformers.utils import logging as transformers_logging

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.models.device import best_device, best_dtype
from amends.models.loading import load_model, load_tokenizer
from amends.models.source import find_model
from amends.prompts import english
from amends.records import Message, Sample, messages_of
from amends.training.recipe import Recipe, silence
from amends.training.settings import TrainSettings
from amends.training.tokenized import tokenize_samples
from amends.training.trainers.sft import columns, make_trainer
from benchmarks.measure import Contestant, Work, alternate, options, show

SHORT = TrainSettings(batch_size=8, epochs=1, learning_rate=1e-3, target_modules=["q_proj", "v_proj"])
LONG = TrainSettings(max_length=2048)


def real_samples(count: int) -> list[Sample]:
    """Safe answers, benign answers and analysis-shaped samples in equal parts, of the bundled sets."""
    third = count // 3
    rows = list(load_instructions(DataSettings(source="bundled:redteam/train", limit=2 * third)))
    benign = list(load_instructions(DataSettings(source="bundled:benign/train", limit=third)))
    asked = [("safe", row.prompt, row.chosen) for row in rows[:third]]
    asked += [("benign", row.prompt, row.chosen) for row in benign]
    asked += [
        ("analysis", english().analysis_question(row.prompt, row.chosen or ""), row.chosen) for row in rows[third:]
    ]
    samples = [
        Sample.model_validate(
            {
                "id": str(number),
                "kind": kind,
                "prompt": messages_of(prompt),
                "completion": [Message(role="assistant", content=answer or "")],
            }
        )
        for number, (kind, prompt, answer) in enumerate(asked)
    ]
    random.Random(0).shuffle(samples)
    return samples


def own_samples(files: list[str], count: int) -> list[Sample]:
    """As many answers of each file, drawn from all of it."""
    draw, samples = random.Random(0), []
    for file in files:
        rows = [row for row in load_instructions(DataSettings(source=file)) if row.chosen]
        samples += [
            Sample(
                id=f"{file}:{row.id}",
                kind="safe",
                prompt=list(messages_of(row.prompt)),
                completion=[Message(role="assistant", content=row.chosen or "")],
            )
            for row in draw.sample(rows, min(len(rows), count // len(files)))
        ]
    draw.shuffle(samples)
    return samples


class Peers:
    """The contestants over the same samples."""

    def __init__(self, samples: list[Sample], settings: TrainSettings) -> None:
        self.settings = settings
        self.source = find_model("embedded")
        self.tokenizer = load_tokenizer(self.source)
        self.samples = samples
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "samples.arrow"
        self.tokenized = tokenize_samples(samples, columns, self.tokenizer, settings.max_length, path)
        self.losses: dict[str, list[float]] = {}
        self.peaks: dict[str, float] = {}
        self.tokens, targets = self.tokenized.tokens, sum(self.tokenized.lengths.target)
        model = load_model(self.source)
        head = model.get_output_embeddings().weight.numel()
        layers = sum(weight.numel() for weight in model.parameters() if weight.dim() == 2) - head
        # Forward, and backward with respect to activations: frozen weights have no gradients of their own.
        self.operations = 4.0 * (layers * self.tokens + head * targets)

    def timed(self, name: str, build: Callable[[Path], Any]) -> Callable[[], Work]:
        """A turn that builds a trainer and counts the seconds of its `train()` alone."""

        def run() -> Work:
            with tempfile.TemporaryDirectory() as directory:
                trainer = build(Path(directory))
                began = time.perf_counter()
                trainer.train()
                seconds = time.perf_counter() - began
            tokens = int(trainer.state.num_input_tokens_seen)
            losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
            self.losses.setdefault(name, []).append(sum(losses) / len(losses))
            self.peaks.setdefault(name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
            return Work(tokens, self.operations * tokens / self.tokens, seconds)

        return run

    def amends(self, directory: Path, **changed: int) -> Any:
        tokenizer = load_tokenizer(self.source)
        tokenizer.padding_side = "right"
        recipe = Recipe("embedded", self.settings.model_copy(update=changed))
        trainer = make_trainer(self.tokenized, tokenizer, directory, recipe)
        silence(trainer)
        return trainer

    def trl(self, directory: Path, recipe: dict[str, Any]) -> Any:
        from datasets import Dataset
        from peft import LoraConfig
        from trl import SFTConfig, SFTTrainer

        rows = [
            {
                "prompt": [message.model_dump() for message in sample.prompt],
                "completion": [message.model_dump() for message in sample.completion],
            }
            for sample in self.samples
        ]
        precise = recipe.pop("dtype")
        trainer = SFTTrainer(
            model=load_model(self.source).to(precise),
            args=SFTConfig(
                output_dir=str(directory),
                num_train_epochs=1,
                max_steps=self.settings.max_steps or -1,
                include_num_input_tokens_seen="non_padding",
                learning_rate=self.settings.learning_rate,
                report_to="none",
                disable_tqdm=True,
                logging_steps=1,
                save_strategy="no",
                dataloader_pin_memory=torch.cuda.is_available(),
                **recipe,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=load_tokenizer(self.source),
            peft_config=LoraConfig(
                r=self.settings.rank,
                lora_alpha=self.settings.alpha,
                target_modules=self.settings.target_modules,
                task_type="CAUSAL_LM",
            ),
        )
        from transformers.trainer_callback import PrinterCallback

        trainer.remove_callback(PrinterCallback)
        return trainer


def _of_short(peers: Peers, fast: torch.dtype, autocast: bool) -> dict[str, Callable[[Path], Any]]:
    defaults = {"dtype": torch.float32, "bf16": autocast}
    recipe = {"dtype": fast, "bf16": autocast, "gradient_checkpointing": False}
    packed = {**recipe, "packing": True, "packing_strategy": "wrapped", "max_length": 512}
    return {
        "amends": peers.amends,
        "SFTTrainer, defaults": lambda directory: peers.trl(directory, dict(defaults)),
        "SFTTrainer, no checkpointing": lambda directory: peers.trl(directory, dict(recipe)),
        "SFTTrainer, no checkpointing, packing": lambda directory: peers.trl(directory, dict(packed)),
    }


def _of_long(peers: Peers, fast: torch.dtype, autocast: bool, whole: bool) -> dict[str, Callable[[Path], Any]]:
    def grouped(batch: int) -> Callable[[Path], Any]:
        recipe = {
            "dtype": fast,
            "bf16": autocast,
            "gradient_checkpointing": False,
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": peers.settings.batch_size // batch,
            "train_sampling_strategy": "group_by_length",
            "max_length": None,
        }
        return lambda directory: peers.trl(directory, dict(recipe))

    batches = (1, 4, 16) if whole else (1, 4)
    makers: dict[str, Callable[[Path], Any]] = {"amends": peers.amends}
    makers |= {f"SFTTrainer, {peers.settings.batch_size // one} x {one}": grouped(one) for one in batches}
    if whole:
        makers["amends, a batch at once"] = lambda directory: peers.amends(directory, micro_batch_tokens=10**9)
    return makers


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--samples", type=int, default=48, help="samples (48)")
    parser.add_argument("--steps", type=int, default=4, help="steps over --data (4); else there is one epoch")
    parser.add_argument("--data", action="append", default=[], help="prompts and answers of your own; repeatable")
    parser.add_argument("--whole", action="store_true", help="batches of 16 at once, too: some 20 GB")


def main() -> None:
    """Runs the contestants and shows the table, with the mean loss of each."""
    given = options(__doc__ or "", _arguments)
    transformers_logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    disable_progress_bars()
    autocast = torch.cuda.is_available()  # SFTTrainer's default where there is a GPU
    device = best_device()
    fast = best_dtype(device)
    if given.data:
        settings = LONG.model_copy(update={"max_steps": given.steps})
        peers = Peers(own_samples(given.data, given.samples), settings)
        makers = _of_long(peers, fast, autocast, given.whole)
    else:
        peers = Peers(real_samples(given.samples), SHORT)
        makers = _of_short(peers, fast, autocast)
    contestants = [Contestant(name, peers.timed(name, build)) for name, build in makers.items()]
    result = alternate(contestants, given.turns, fast, device, "tokens")
    for row in result["contestants"]:
        row["mean_loss"] = round(sum(peers.losses[row["name"]]) / len(peers.losses[row["name"]]), 4)
        row["peak_gigabytes"] = round(peers.peaks[row["name"]], 2)
    show(result, given.json)


if __name__ == "__main__":
    main()
