"""Memory and disk space that a configuration takes, beside what this machine has."""

from collections.abc import Iterator
from pathlib import Path

from amends.config.estimate import BYTES_A_TOKEN, Estimate
from amends.config.methods import METHODS, with_starts
from amends.config.settings import Configuration
from amends.models.device import best_device, memory_bytes
from amends.models.size import Size
from amends.pipeline.doctor.finding import Finding
from amends.pipeline.doctor.machine import disk_space
from amends.training.checkpoints import KEPT

NEARLY = 0.8  # of the memory: others have some of it, and allocators waste some
FLOAT_BYTES = 4  # of a number of an adapter, or of all weights where these are trained
ADAM_NUMBERS = 3  # of each number that is trained a checkpoint has the weight and two moments
SMALLER = "name a smaller model, or one in fewer bits a weight on a larger machine"
LESS_TRAINING = "lower train.micro_batch_tokens, set train.quantization=4bit, or name a smaller model"


def look_at_memory(estimate: Estimate) -> Iterator[Finding]:
    """The estimate of a run beside the device's whole memory, of which others may use some."""
    has = memory_bytes(best_device())
    for what, needed, remedy in (
        ("memory to answer", estimate.generating_bytes, SMALLER),
        ("memory to train", estimate.training_bytes, LESS_TRAINING),
    ):
        found = f"about {needed / 1e9:.1f} GB of {has / 1e9:.1f} GB"
        if needed <= NEARLY * has:
            yield Finding(what, "ok", found)
        else:
            yield Finding(what, "stop" if needed > has else "note", found, remedy)


def look_at_disk(configuration: Configuration, estimate: Estimate, size: Size, directory: Path) -> Iterator[Finding]:
    """What is trained, the checkpoints of one training, and all texts, beside the room where the run is written."""
    train = configuration.train
    numbers = size.parameters if train.adapter == "full" else size.adapter(train.rank, train.target_modules)
    trained = sum(bool(METHODS[name].kinds) for name in with_starts(configuration.methods))
    texts = 2 * BYTES_A_TOKEN * sum(cost.tokens for cost in estimate.costs)
    kept = trained * numbers * FLOAT_BYTES + texts
    checkpoints = KEPT * ADAM_NUMBERS * FLOAT_BYTES * numbers if trained else 0
    yield disk_space(directory, max(len(configuration.seeds), 1) * kept + checkpoints)
