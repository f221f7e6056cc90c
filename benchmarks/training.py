"""Training beside its peers: the same samples for one epoch each, LoRA on the same layers, loss of the last steps shown.

    python -m benchmarks.training [--samples 48] [--turns 5] [--json]

Peers: TRL's SFTTrainer as its defaults have it (float32, batches of 8, gradient checkpointing), and its documented recipe
for speed (bfloat16 weights where the machine computes in it, no checkpointing, packing). The trainers are built anew each
turn; only `train()` is timed. Tokens are those of the samples: padding does not count.
"""

import logging
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import disable_progress_bars
from transformers.utils import logging as transformers_logging

from amends.config import DataSettings, TrainSettings
from amends.data.sources import load_instructions
from amends.models.loading import best_device, best_dtype, find_model, load_model, load_tokenizer
from amends.prompts import analysis_question
from amends.records import Message, Sample
from amends.training.recipe import Recipe, silence
from amends.training.sft import columns, make_trainer
from amends.training.tokenized import tokenize_samples
from benchmarks.measure import Contestant, Work, alternate, options, show

SETTINGS = TrainSettings(
    batch_size=8, gradient_accumulation=1, epochs=1, learning_rate=1e-3, target_modules=["q_proj", "v_proj"]
)


def real_samples(count: int) -> list[Sample]:
    """Safe answers, benign answers and analysis-shaped samples in equal parts, of the bundled sets."""
    third = count // 3
    rows = list(load_instructions(DataSettings(source="bundled:redteam/train", limit=2 * third)))
    benign = list(load_instructions(DataSettings(source="bundled:benign/train", limit=third)))
    asked = [("safe", row.prompt, row.chosen) for row in rows[:third]]
    asked += [("benign", row.prompt, row.chosen) for row in benign]
    asked += [("analysis", analysis_question(row.prompt, row.chosen or ""), row.chosen) for row in rows[third:]]
    samples = [
        Sample.model_validate(
            {
                "id": str(number),
                "kind": kind,
                "prompt": [Message(role="user", content=prompt)],
                "completion": [Message(role="assistant", content=answer or "")],
            }
        )
        for number, (kind, prompt, answer) in enumerate(asked)
    ]
    random.Random(0).shuffle(samples)
    return samples


class Peers:
    """The contestants over the same samples."""

    def __init__(self, count: int) -> None:
        self.source = find_model("embedded")
        self.tokenizer = load_tokenizer(self.source)
        self.samples = real_samples(count)
        self.directory = tempfile.TemporaryDirectory()
        path = Path(self.directory.name) / "samples.arrow"
        self.tokenized = tokenize_samples(self.samples, columns, self.tokenizer, 1024, path)
        self.losses: dict[str, list[float]] = {}
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
            losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
            self.losses.setdefault(name, []).append(sum(losses) / len(losses))
            return Work(self.tokens, self.operations, seconds)

        return run

    def amends(self, directory: Path) -> Any:
        tokenizer = load_tokenizer(self.source)
        tokenizer.padding_side = "right"
        trainer = make_trainer(self.tokenized, tokenizer, directory, Recipe("embedded", SETTINGS))
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
                learning_rate=SETTINGS.learning_rate,
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
                r=SETTINGS.rank,
                lora_alpha=SETTINGS.alpha,
                target_modules=["q_proj", "v_proj"],
                task_type="CAUSAL_LM",
            ),
        )
        from transformers.trainer_callback import PrinterCallback

        trainer.remove_callback(PrinterCallback)
        return trainer


def main() -> None:
    """Runs the contestants and shows the table, with the mean loss of each."""
    given = options(__doc__ or "", lambda parser: parser.add_argument("--samples", type=int, default=48))
    transformers_logging.set_verbosity_error()
    logging.disable(logging.WARNING)
    disable_progress_bars()
    peers = Peers(given.samples)
    autocast = torch.cuda.is_available()  # SFTTrainer's default where there is a GPU
    defaults = {"dtype": torch.float32, "bf16": autocast}
    device = best_device()
    fast = best_dtype(device)
    recipe = {"dtype": fast, "bf16": autocast, "gradient_checkpointing": False}
    makers: dict[str, Callable[[Path], Any]] = {
        "amends": peers.amends,
        "SFTTrainer, defaults": lambda directory: peers.trl(directory, dict(defaults)),
        "SFTTrainer, no checkpointing": lambda directory: peers.trl(directory, dict(recipe)),
        "SFTTrainer, no checkpointing, packing": lambda directory: peers.trl(
            directory, {**recipe, "packing": True, "packing_strategy": "wrapped", "max_length": 512}
        ),
    }
    contestants = [Contestant(name, peers.timed(name, build)) for name, build in makers.items()]
    result = alternate(contestants, given.turns, fast, device, "tokens")
    for row in result["contestants"]:
        row["mean_loss"] = round(sum(peers.losses[row["name"]]) / len(peers.losses[row["name"]]), 4)
    show(result, given.json)


if __name__ == "__main__":
    main()
