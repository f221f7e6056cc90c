"""What a training keeps in memory, by the size of its model, and how many tokens of a micro-batch that allows.

Memory is that of weights, of what is trained (16 bytes a number: weight, gradient and Adam's two moments in float32),
of activations, and of the logits of one tile of the output layer; on a CPU also of Python and the libraries. What is
kept of a token for going back is counted in transformers' Llama in 16 bits, for each layer and hidden number: 20 bytes
in the two norms (float32), 20 in attention, 24 in the rest. Textbooks count 34 (Korthikanti et al., 2022, arXiv
2205.05198, section 4.1), for norms in 16 bits. Of a logit 16: twice in 16 bits, three times in float32.
"""

from dataclasses import dataclass

from amends.models.device import best_device, memory_bytes
from amends.models.size import Size
from amends.training.quantization import weights_bytes
from amends.training.settings import TrainSettings

TRAINED_BYTES, ACTIVATION_BYTES, CHECKPOINT_BYTES, LOGIT_BYTES = 16, 64, 2, 16
PROCESS_BYTES = {"cpu": 600_000_000, "cuda": 0}
TILE_TOKENS = 1024  # whose logits are there at once (output_layer.py)
MOST_TOKENS = {"cpu": 512, "cuda": 16_384}  # of a micro-batch; more are no faster (dev/log/2026.md)
SHARE = 0.6  # of the device's memory that a training may plan with: allocators waste some, and others have some


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that a training holds all the time, and bytes of a token: its activations, and its logits."""

    fixed: int
    activations: int
    logits: int

    def bytes(self, tokens: int) -> int:
        """All of it, with micro-batches of so many tokens.

        Example:
            >>> TrainingMemory(fixed=100, activations=3, logits=2).bytes(10)
            150
        """
        return self.fixed + self.activations * tokens + self.logits * min(tokens, TILE_TOKENS)


def training_memory(train: TrainSettings, size: Size) -> TrainingMemory:
    """What a training of a model of that size takes, by the formulas above."""
    full = train.adapter == "full"
    trained = size.parameters if full else size.adapter(train.rank, train.target_modules)
    whole = 0 if full else size.parameters * size.number_bytes
    kept = weights_bytes(size) if train.quantization else whole
    widened = 2 if full or size.number_bytes > 2 else 1  # float32 activations
    each = CHECKPOINT_BYTES if train.gradient_checkpointing is True else ACTIVATION_BYTES
    return TrainingMemory(
        fixed=kept + trained * TRAINED_BYTES + PROCESS_BYTES[best_device()],
        activations=size.hidden * size.layers * each * widened,
        logits=size.vocabulary * LOGIT_BYTES,
    )


def micro_batch_tokens(train: TrainSettings, size: Size, processes: int = 1) -> int:
    """Tokens of a micro-batch at most: what is set, or what this device suggests.

    Processes share the memory of a CPU; on GPUs each has its own.

    It hangs on the device's whole memory, not on what is free now, so that a training that goes on has equal pieces.
    """
    if train.micro_batch_tokens:
        return train.micro_batch_tokens
    memory = training_memory(train, size)
    room = _room(processes) - memory.bytes(0)
    return max(1, min(MOST_TOKENS[best_device()], int(room / (memory.activations + memory.logits))))


def decided(train: TrainSettings, size: Size, longest: int, processes: int = 1) -> TrainSettings:
    """The settings with `gradient_checkpointing` told: `auto` has it where the longest sample would not fit without.

    `longest`: its tokens, of a pair those of both sides.
    """
    if train.gradient_checkpointing != "auto":
        return train
    without = training_memory(train, size).bytes(longest)
    return train.model_copy(update={"gradient_checkpointing": without > _room(processes)})


def _room(processes: int) -> float:
    """Bytes that each process of a training may plan with."""
    device = best_device()
    return SHARE * memory_bytes(device) / (processes if device == "cpu" else 1)
