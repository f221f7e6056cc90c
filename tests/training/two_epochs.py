"""A training of two epochs on a tiny model, which tests interrupt."""

from pathlib import Path

from amends.records import Message, Preference, Sample
from amends.training.settings import TrainSettings

WORDS = ["Blue.", "Green and red.", "A rather long answer about colours.", "White, black and grey, in that order."]
SAMPLES = [
    Sample(
        id=str(number),
        kind="safe",
        prompt=[Message(role="user", content=f"Name colour number {number}.")],
        completion=[Message(role="assistant", content=WORDS[number % 4])],
    )
    for number in range(6)
]
PAIRS = [
    Preference(**sample.model_dump(exclude={"kind"}), kind="preference", rejected=SAMPLES[number - 1].completion)
    for number, sample in enumerate(SAMPLES)
]
TRAIN = TrainSettings(epochs=2, batch_size=2, learning_rate=1e-2, target_modules=["q_proj"], rank=2, save_steps=1)


class Interrupt:
    """A progress callback that ends a training at a step."""

    def __init__(self, step: int) -> None:
        self.step, self.done = step, 0

    def __call__(self, rows: int, tokens: int) -> None:
        self.done += rows
        if self.done >= self.step:
            raise KeyboardInterrupt


def same_weights(one: Path, other: Path) -> bool:
    weights = "adapter_model.safetensors"
    return (one / weights).read_bytes() == (other / weights).read_bytes()
