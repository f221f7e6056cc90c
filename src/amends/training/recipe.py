"""What all trainers share: the recipe, the model to begin from, TRL's arguments, the adapter."""

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amends.errors import ModelError, SampleError, TrainingError, in_a_line
from amends.models.base import SHORT
from amends.models.configuration import empty_model
from amends.models.device import best_device, best_dtype
from amends.models.libraries import quiet_libraries
from amends.models.loading import load_model, load_tokenizer
from amends.models.size import size_of
from amends.models.source import ModelSource, find_model
from amends.prompts import Language, english
from amends.settings import Settings
from amends.settings.gathered import Own, own_settings
from amends.training import ranks
from amends.training.checkpoints import KEPT
from amends.training.memory import TrainingMemory, decided, micro_batch_tokens, training_memory
from amends.training.quantization import load_quantized, refuse_missing_package
from amends.training.settings import TrainSettings
from amends.training.tokenize import tokenize_turns
from amends.training.trackers import refuse_missing, tracker_arguments

# Up to this length plain attention is faster than the fused kernel's backward pass on CPU: a step took 8.5 s instead of
# 10.3 s (dev/log/2026.md). Its memory grows with the square of the length: 16 samples of 256 tokens keep 1.7 GB.
EAGER_TOKENS = 256
LOGGED = 1_000  # points of a loss curve, nearly


@dataclass(frozen=True)
class Recipe:
    """How to train: `start` is the adapter (or, with `train.adapter` full, the model) directory to go on from.

    `own` has what single trainers are told, `system_prompt` is the system turn of all samples that have none of their
    own, `language` that of control phrases, and `processes` how many share each step.
    """

    model: str
    train: TrainSettings = field(default_factory=TrainSettings)
    own: Settings = field(default_factory=Settings)
    seed: int = 0
    start: Path | None = None
    system_prompt: str | None = None
    language: Language = field(default_factory=english)
    processes: int = 1

    @property
    def source(self) -> ModelSource:
        """The model that is trained, or that adapters lie on."""
        begun = str(self.start) if self.start and self.train.adapter == "full" else self.model
        return find_model(begun, self.system_prompt)

    def told(self, settings: type[Own]) -> Own:
        """What a trainer alone is told."""
        return own_settings(self.own, settings)

    def memory(self) -> tuple[TrainingMemory, int]:
        """What a training takes, and the tokens of a micro-batch at most; loads no weights."""
        size = size_of(self.source)
        return training_memory(self.train, size), micro_batch_tokens(self.train, size, self.processes)

    def decided(self, longest: int) -> "Recipe":
        """The recipe with what this machine's memory decides; `longest`: tokens of a sample, of a pair both sides'."""
        return replace(self, train=decided(self.train, size_of(self.source), longest, self.processes))

    def memory_in_words(self, longest: int) -> str:
        """What is computed at once, and what that takes, where the longest sample is so long."""
        memory, tokens = self.memory()
        tokens = max(longest, min(tokens, self.train.batch_size * longest))
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        taken = f"{memory.bytes(tokens) / 1e9:.1f} GB of memory"
        how = ", the base in 4 bits" if self.train.quantization else ""
        if self.train.gradient_checkpointing is True:
            how += ", activations computed twice (train.gradient_checkpointing)"
        return f"{tokens:,} tokens at once (train.micro_batch_tokens), {taken}{each}{how}"

    def load(self, longest: int) -> Any:
        """The model to train on samples of at most `longest` tokens: with the adapter of `start`, trainable, if any."""
        model = load_quantized(self.source) if self.train.quantization else load_model(self.source)
        model.config.get_text_config().use_cache = False
        if model.device.type == "cpu" and longest <= EAGER_TOKENS:
            model.set_attn_implementation("eager")
        if self.train.adapter == "full":
            return model.float()  # bfloat16 weights cannot hold the small steps of full fine-tuning
        if self.start:
            from peft import PeftModel

            name = model.name_or_path
            model = PeftModel.from_pretrained(model, str(self.start), is_trainable=True)
            model.active_peft_config.base_model_name_or_path = name  # else PEFT would ask the hub for another's, saving
        return model

    def check(self, checks: Iterable[Callable[[str, Any, Any], None]] = ()) -> None:
        """Refuses what cannot be trained; loads no weights. `checks`: those of the trainers at hand.

        Raises ModelError where the chat template cannot be trained with, transformers has no such model, or adapters do
        not go with what `train.target_modules` names; InputError where a package of `train.report_to` is missing, or
        the language has no word for a verdict that is to be weighed.
        """
        quiet_libraries()
        import torch
        from peft import get_peft_model
        from peft.tuners.tuners_utils import BaseTunerLayer

        from amends.training.output_layer import check_kernels

        refuse_missing(self.train.report_to)
        if self.train.quantization:
            refuse_missing_package()
        if self.train.verdict_weight != 1:
            self.language.verdict_in("")
        if best_device() == "cuda":
            check_kernels("cuda")
        tokenizer = load_tokenizer(self.source)
        try:
            tokenize_turns(SHORT.messages, "Hi.", tokenizer)
        except (SampleError, ModelError) as error:
            raise ModelError(f"{self.model}: cannot be trained: {error}") from error
        model = empty_model(self.source)
        if quantized := getattr(model.config, "quantization_config", None):
            kind = quantized.get("quant_method") if isinstance(quantized, dict) else quantized.quant_method
            raise ModelError(
                f"{self.model}: is quantized ({kind}), and adapters are merged into the weights after training; name "
                "its version in 16 bits, or save a dequantized copy"
            )
        for check in checks:
            check(self.model, tokenizer, model)
        if self.train.adapter == "full":
            return
        output = model.get_output_embeddings()
        layers = ((name, one) for name, one in model.named_modules() if isinstance(one, torch.nn.Linear))
        linear = sorted({name.rpartition(".")[2] for name, one in layers if one is not output})
        try:
            with torch.device("meta"):
                adapted = get_peft_model(model, self.new_adapter("CAUSAL_LM"))
            if isinstance(adapted.get_output_embeddings(), BaseTunerLayer):
                raise ValueError("TRL's trainers take no adapter on the output layer")
        except Exception as error:
            raise ModelError(
                f"train.target_modules: does not fit {self.model} ({in_a_line(error)}); name all-linear, or some of "
                f"its linear layers: {', '.join(linear)}"
            ) from error

    def lora(self) -> Any:
        """The adapter to add; None where the model has one, or all weights are trained."""
        return None if self.start or self.train.adapter == "full" else self.new_adapter("CAUSAL_LM")

    def new_adapter(self, task: str) -> Any:
        """A LoRA configuration for peft's task."""
        from peft import LoraConfig

        return LoraConfig(
            r=self.train.rank,
            lora_alpha=self.train.alpha,
            lora_dropout=0.0,
            target_modules=self.train.target_modules,
            task_type=task,
        )

    def batches(self) -> dict[str, Any]:
        """A step's batches, in TRL's words. Several processes share one batch (micro_batches.py): the whole step's."""
        train = self.train
        if self.processes == 1:
            size, number = train.batch_size, train.gradient_accumulation
        else:
            size, number = train.rows_a_step, 1
        return {
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": number,
            "average_tokens_across_devices": False,  # each counts the tokens of the whole batch
        }

    def arguments(self, kind: Callable[..., Any], directory: Path, learning_rate: float, steps: int, **own: Any) -> Any:
        """A TRL configuration of that kind for so many optimizer steps, with what all are given and its own.

        The warm-up is rounded down: rounded up, as the trainer does with a share, it would take the first of a few
        steps, whose rate is 0, and a training of one step would change nothing. A process uses one GPU where there are
        more: TRL's trainers refuse several.
        """
        import torch

        device, train = best_device(), self.train
        common = {
            "output_dir": str(directory),
            "max_steps": steps,
            **self.batches(),
            "learning_rate": learning_rate,
            "lr_scheduler_type": "linear",
            "warmup_steps": int(train.warmup_share * steps),
            "weight_decay": 0.0,
            "gradient_checkpointing": train.gradient_checkpointing is True,
            "use_cpu": device == "cpu",
            "bf16": best_dtype(device) == torch.bfloat16,
            "fp16": device == "cuda" and best_dtype(device) == torch.float16,
            "include_num_input_tokens_seen": "non_padding",
            "save_steps": train.save_steps,
            "save_total_limit": KEPT,
            "logging_steps": max(1, steps // LOGGED),  # the log goes whole into each checkpoint
            "logging_strategy": "steps",
            "logging_nan_inf_filter": False,  # it would put the losses before in the place of one that is no number
            "disable_tqdm": True,
            "report_to": "none",
            **tracker_arguments(train.report_to, directory),
            "seed": self.seed % 2**31,
            "data_seed": self.seed % 2**31,
            "dataloader_pin_memory": device == "cuda",
        }
        if "router_aux_loss_coef" in inspect.signature(kind).parameters:
            common["router_aux_loss_coef"] = 0.0  # the loss is the method's: none is for the balance of experts
        arguments = kind(**common | own)
        arguments._n_gpu = min(arguments.n_gpu, 1)
        return arguments


def leave_inputs(model: Any) -> None:
    """Has adapters take their inputs in the precision that these have, where training runs under autocast.

    PEFT widens the input of each adapted layer to float32 and keeps that for going back: autocast narrows it again, so
    that nothing comes of it but memory and time (dev/log/2026.md).
    """
    for layer in model.modules():
        if hasattr(layer, "cast_input_dtype_enabled"):
            layer.cast_input_dtype_enabled = False


def silence(trainer: Any) -> None:
    """Removes the library's own printing: amends shows its own progress."""
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def check_equal(model: Any) -> None:
    """Raises TrainingError where the processes of a training have come to different weights; shards are not looked at.

    All of the processes have to ask.
    """
    digest = hashlib.sha256()
    for weight in _trained(model).values() if ranks.count() > 1 else ():
        if not hasattr(weight, "to_local"):
            digest.update(weight.detach().float().cpu().numpy().tobytes())
    if ranks.summed([float(ranks.of_first(digest.hexdigest()) != digest.hexdigest())])[0]:
        raise TrainingError("the processes of the training came to different weights; this is a fault of amends")


def check_finite(model: Any) -> None:
    """Raises TrainingError where a weight that is trained is no number any more: what was made is of no use then.

    All processes of the training have to ask: each may hold a shard of every weight.
    """
    own = (
        (name, weight.to_local() if hasattr(weight, "to_local") else weight) for name, weight in _trained(model).items()
    )
    broken = next((name for name, weight in own if not bool(weight.isfinite().all())), "")
    if ranks.summed([float(bool(broken))])[0]:
        raise TrainingError(
            f"training diverged: {broken or 'a weight'} is no number any more; lower the learning rate "
            "(train.learning_rate; what a trainer has of its own is in preference) and run again"
        )


def _trained(model: Any) -> dict[str, Any]:
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
