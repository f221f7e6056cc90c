"""What a run will take: tokens, time and memory, from the rows of its sets and the size of its model.

Time is floating-point operations by the rate of matrix products that this machine is measured at, and the share of it
that amends reached (docs/results.md, "Speed beside its peers": 29 to 62% in generation, 19 to 45% in training, on
three machines of two cores). Operations of a token are 2 for each parameter, and 4 more backwards, of which LoRA needs
2 (Kaplan et al., 2020, arXiv 2001.08361, section 2.1). It is an upper bound of tokens and a guess of seconds: texts
end before their limit, rows pass before their last attempt, and loading, judges and gates (a sixth of the quickstart)
are not in it.
Several processes of a training are taken to be as many times as fast as they have GPUs, or cores of their own.
Memory of a training: training/memory.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amends.config.methods import METHODS, kinds_of, stages_for, with_starts
from amends.config.settings import Configuration
from amends.evaluation.suites.base import SUITE_KINDS
from amends.models.device import best_device
from amends.models.size import Size
from amends.models.threads import allowed_cores
from amends.records import Instruction
from amends.stages.base import STAGES, comes_from
from amends.training.memory import decided, micro_batch_tokens, training_memory
from amends.training.sample_kinds.base import SAMPLE_KINDS
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS, Trainer, planned_processes

GENERATION_SHARE, TRAINING_SHARE = 0.4, 0.35
FORWARD, BACKWARD, BACKWARD_LORA = 2, 4, 2  # operations a parameter and token
BYTES_A_TOKEN = 4  # of English; a guess that needs no tokenizer
FRAME_TOKENS = 32  # of a chat template around a question


@dataclass(frozen=True)
class Rows:
    """How many rows a set has, and the tokens of their texts: means of prompts and of `chosen`, the longest of both."""

    count: int
    prompt_tokens: float
    chosen_tokens: float
    longest_tokens: int

    @classmethod
    def of(cls, rows: Iterable[Instruction]) -> "Rows":
        """Reads them all; tokens are guessed from bytes."""
        count = prompts = chosen = longest = 0
        for row in rows:
            prompt, answer = len(str(row.prompt).encode()), len((row.chosen or "").encode())
            count, prompts, chosen, longest = (
                count + 1,
                prompts + prompt,
                chosen + answer,
                max(longest, prompt + answer),
            )
        each = BYTES_A_TOKEN * max(count, 1)
        return cls(count, prompts / each, chosen / each, longest // BYTES_A_TOKEN)


@dataclass(frozen=True)
class Cost:
    """What a step takes at most: rows, tokens that are read and generated, or trained on. Seconds are a guess.

    There is none of a model that others compute with.
    """

    step: str
    rows: int
    tokens: int
    seconds: float | None


@dataclass(frozen=True)
class Estimate:
    """What a run takes at most: its steps, and memory in bytes while it generates and while it trains.

    Of a model that others compute with nothing but rows and tokens is known.
    """

    parameters: int
    costs: tuple[Cost, ...]
    generating_bytes: int
    training_bytes: int

    @property
    def seconds(self) -> float:
        """Of all steps of which a guess is made."""
        return sum(cost.seconds or 0 for cost in self.costs)


def estimate(
    configuration: Configuration, rows: Mapping[str, Rows], size: Size | None = None, products: float = 0.0
) -> Estimate:
    """What a run takes.

    Args:
        rows: of each set, by its key.
        size: of the model; None of one that others compute with, and that is trained elsewhere.
        products: floating-point operations a second of matrix products here.
    """
    generating = FORWARD * size.parameters / (products * GENERATION_SHARE) if size else None
    made = _made(configuration, rows)
    costs = []
    for stage, (count, new_tokens) in made.items():
        attempts = count * getattr(configuration, stage).attempts
        tokens = round(attempts * (FRAME_TOKENS + _read(stage, rows).prompt_tokens + new_tokens))
        costs.append(_cost(STAGES[stage].writes, count, tokens, generating))
    trained = FORWARD + (BACKWARD if configuration.train.adapter == "full" else BACKWARD_LORA)
    training = trained * size.parameters / (products * TRAINING_SHARE) if size else None
    for name in with_starts(configuration.methods) if size else ():
        if METHODS[name].kinds and training:
            samples, length = _samples(name, configuration, rows, made)
            steps = configuration.train.steps(max(samples, 1), max(round(samples * length), 1))
            read = steps * configuration.train.rows_a_step
            faster = _faster(configuration.train, TRAINERS[METHODS[name].trainer])
            costs.append(_cost(METHODS[name].training, read, read * length, training / faster))
    for suite, settings in configuration.suites.items():
        of_suite, systems = rows[f"suites.{suite}"], len(configuration.methods) * len(configuration.respond.inference)
        generates = SUITE_KINDS[settings.kind].generates
        systems *= configuration.respond.draws if generates else 2  # two models read an answer, or one two
        answer = configuration.respond.max_new_tokens if generates else of_suite.chosen_tokens
        tokens = round(systems * of_suite.count * (FRAME_TOKENS + of_suite.prompt_tokens + answer))
        costs.append(_cost(f"suite {suite}", systems * of_suite.count, tokens, generating))
    if not size:
        return Estimate(0, tuple(costs), 0, 0)
    weights = size.parameters * size.number_bytes
    if any(SUITE_KINDS[one.kind].reads_with_start for one in configuration.suites.values()):
        weights *= 2
    return Estimate(size.parameters, tuple(costs), weights, _training_bytes(configuration, rows, size, made))


def _cost(step: str, rows: int, tokens: float, seconds: float | None) -> Cost:
    """`seconds`: of a token; None where nobody here computes."""
    return Cost(step, rows, round(tokens), None if seconds is None else tokens * seconds)


def _faster(train: TrainSettings, trainer: Trainer) -> float:
    """How many times as fast as in one process a training is in its own; on a CPU these share the threads and cores."""
    import torch

    processes = planned_processes(train, trainer)
    if best_device() == "cuda" or processes == 1:
        return processes
    threads = torch.get_num_threads()
    return max(1.0, min(processes * max(1, threads // processes), allowed_cores()) / threads)


def _read(stage: str, rows: Mapping[str, Rows]) -> Rows:
    """The set of the data that a stage's rows come from."""
    return rows[comes_from(STAGES[stage].reads)]


def _made(configuration: Configuration, rows: Mapping[str, Rows]) -> dict[str, tuple[int, int]]:
    """Of each stage that the methods need: rows at most, and new tokens of each."""
    found: dict[str, tuple[int, int]] = {}
    for stage in stages_for(configuration.methods, configuration.shares):
        settings = getattr(configuration, stage)
        found[stage] = _read(stage, rows).count * STAGES[stage].times(settings), settings.max_new_tokens
    return found


def _samples(
    method: str, configuration: Configuration, rows: Mapping[str, Rows], made: Mapping[str, tuple[int, int]]
) -> tuple[int, float]:
    """How many samples a method has at most, and their mean length in tokens."""
    count = tokens = 0.0
    by_name = {STAGES[stage].writes: one for stage, one in made.items()}
    for kind in kinds_of([method], configuration.shares):
        copies = configuration.shares.get(kind, 1.0)
        for name in SAMPLE_KINDS[kind].needs[:1]:
            if name in by_name:
                number, new_tokens = by_name[name]
                length = FRAME_TOKENS + rows["instructions"].prompt_tokens + 2 * new_tokens
            elif name in rows:
                number, length = rows[name].count, FRAME_TOKENS + rows[name].prompt_tokens + rows[name].chosen_tokens
            else:
                continue
            count, tokens = count + copies * number, tokens + copies * number * length
    return round(count), tokens / count if count else 0.0


def _training_bytes(
    configuration: Configuration, rows: Mapping[str, Rows], size: Size, made: Mapping[str, tuple[int, int]]
) -> int:
    train = configuration.train
    if not kinds_of(with_starts(configuration.methods), configuration.shares):
        return 0
    new_tokens = sum(sorted(new_tokens for _, new_tokens in made.values())[-2:])  # of a mistake and its analysis
    longest = max(one.longest_tokens for name, one in rows.items() if not name.startswith("suites."))
    trainers = [TRAINERS[METHODS[name].trainer] for name in with_starts(configuration.methods) if METHODS[name].kinds]
    sides = 2 if any(trainer.compares for trainer in trainers) else 1
    sample = sides * min(train.max_length, FRAME_TOKENS + longest + new_tokens)
    train, batch = decided(train, size, sample), train.batch_size * sample
    return training_memory(train, size).bytes(max(sample, min(batch, micro_batch_tokens(train, size))))
