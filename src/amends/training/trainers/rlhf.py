"""Reinforcement learning from feedback: a reward model (TRL's RewardTrainer), then RLOO with a penalty on divergence.

TRL 1.x has no PPO. The reward is a function of text alone, so any other takes its place easily.
Source: Ouyang et al. 2022, arXiv 2203.02155; Ahmadian et al. 2024, arXiv 2402.14740;
    huggingface.co/docs/trl/rloo_trainer.
"""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from amends.errors import ModelError
from amends.models.chat import SWITCHES, end_of_turn_token, opens_with_more, plain_messages
from amends.models.decoding.batches import length_batches, right_padded
from amends.models.device import best_device
from amends.models.loading import load_weights
from amends.models.source import find_model
from amends.records import Message, Preference, Sample
from amends.settings import Settings
from amends.storage.seals import is_sealed, seal
from amends.storage.unfinished import part_path
from amends.text.words import whole_sentences
from amends.training import ranks
from amends.training.checkpoints import checkpoint_for_all, checkpoint_steps, last_checkpoint
from amends.training.recipe import Recipe, check_finite, leave_inputs, silence
from amends.training.settings import TrainSettings
from amends.training.tokenize import TokenizedSample, tokenize_turns
from amends.training.tokenized import Tokenized
from amends.training.trainers.base import TRAINERS, Trainer, sharing_rows

Turns = list[dict[str, str]]
Reward = Callable[[Sequence[tuple[Turns, str]]], list[float]]
"""Rewards of pairs of a prompt, in messages, and a response."""

LOG = "log.json"
REWARD_TOKENS = {"cpu": 4_096, "cuda": 65_536}


class RlhfSettings(Settings):
    """What rlhf has beside `train`. The rate is a tenth of supervised fine-tuning's, as is usual."""

    kl: float = Field(default=0.05, ge=0, description="The weight of the divergence from the start, in rlhf.")
    rlhf_learning_rate: float = Field(default=5e-5, gt=0, description="The learning rate of rlhf.")
    generations: int = Field(
        default=4, ge=2, description="Completions of a prompt, in rlhf; the samples of a step have to be a multiple."
    )
    max_new_tokens: int = Field(default=48, ge=1, description="Tokens after which a completion is cut, in rlhf.")
    reward_epochs: float = Field(default=1.0, gt=0, description="Passes of the reward model over the preferences.")


def refusal(train: TrainSettings, own: RlhfSettings) -> str:
    """A step of RLHF is filled by whole groups of answers to a prompt; it holds a reward model, too, in 16 bits."""
    if train.quantization:
        return "train.quantization: rlhf trains and asks a second model in 16 bits; leave rlhf out, or name null"
    if train.rows_a_step % own.generations == 0:
        return ""
    return (
        f"preference.generations: must divide the {train.rows_a_step} answers of a step, and is {own.generations} "
        "(they are train.batch_size x train.gradient_accumulation; --batch-size x --gradient-accumulation)"
    )


def batches(train: TrainSettings, processes: int) -> dict[str, Any]:
    """A step's batches of each process, no larger than those of one: as few as go, then smaller ones.

    Example:
        >>> batches(TrainSettings(batch_size=6, gradient_accumulation=2), 4)
        {'per_device_train_batch_size': 3, 'gradient_accumulation_steps': 1}
    """
    fewer = math.gcd(train.gradient_accumulation, processes)
    return {
        "per_device_train_batch_size": train.batch_size * fewer // processes,
        "gradient_accumulation_steps": train.gradient_accumulation // fewer,
    }


def check(name: str, tokenizer: Any, model: Any) -> None:
    """Raises ModelError where TRL's RLOO does not ask as amends does, or transformers has no such reward model."""
    from transformers import AutoModelForSequenceClassification

    if opens_with_more(tokenizer):
        raise ModelError(f"{name}: its chat template opens answers in a way that TRL's RLOO does not; leave rlhf out")
    if type(model.config) not in AutoModelForSequenceClassification._model_mapping:
        raise ModelError(f"{name}: transformers has no reward model of a {type(model).__name__}; leave rlhf out")


def columns(sample: Sample, tokens: Sequence[TokenizedSample], tokenizer: Any) -> dict[str, Any]:
    """A row of both trainers': the pair for the reward model, the prompt for the on-policy one, which renders it."""
    chosen, rejected = tokens
    return {
        "prompt": plain_messages(sample.prompt, tokenizer),
        "chosen_ids": chosen.input_ids,
        "rejected_ids": rejected.input_ids,
    }


def train_reward(tokenized: Tokenized, tokenizer: Any, directory: Path, recipe: Recipe, callback: Any) -> None:
    """Trains a reward model on pairs unless `directory` has one that is whole; goes on from its last checkpoint.

    Its adapter goes to `adapter/`, its log to `log.json` in that. `callback` is the trainer's, for progress.
    """
    finished = directory / "adapter"
    if ranks.of_first(ranks.is_first() and is_sealed(finished)):
        return
    if ranks.is_first():
        shutil.rmtree(finished, ignore_errors=True)
    from trl import RewardConfig, RewardTrainer

    from amends.training.micro_batches import in_micro_batches

    model = reward_model(recipe, tokenizer)
    if best_device() == "cuda":
        model.score.float()  # trained whole: the gradient scaler refuses float16, and small steps are lost in bfloat16
    _, token_budget = recipe.memory()
    trainer = in_micro_batches(RewardTrainer, token_budget, sides=2)(
        model=model,
        args=recipe.arguments(
            RewardConfig,
            directory / "checkpoints",
            recipe.train.learning_rate,
            reward_steps(recipe, len(tokenized.rows)),
            max_length=None,
            report_to="none",  # a run of its own beside the policy's, by the same name
        ),
        train_dataset=tokenized.rows.select_columns(["chosen_ids", "rejected_ids"]),
        processing_class=tokenizer,
        peft_config=recipe.new_adapter("SEQ_CLS"),
    )
    leave_inputs(trainer.model)
    silence(trainer)
    trainer.add_callback(callback)
    trainer.train(resume_from_checkpoint=checkpoint_for_all(directory / "checkpoints"))
    check_finite(trainer.model)
    if ranks.is_first():
        _write_reward(trainer, directory)
    ranks.wait()


def _write_reward(trainer: Any, directory: Path) -> None:
    finished = directory / "adapter"
    log = [entry for entry in trainer.state.log_history if "loss" in entry]
    keys = ("step", "loss", "accuracy", "margin")
    part = part_path(finished)
    shutil.rmtree(part, ignore_errors=True)
    trainer.model.save_pretrained(part)
    (part / LOG).write_text(json.dumps([{key: row[key] for key in keys if key in row} for row in log]))
    seal(part)
    part.replace(finished)
    shutil.rmtree(directory / "checkpoints", ignore_errors=True)


def prepare(tokenized: Tokenized, tokenizer: Any, directory: Path, recipe: Recipe, callback: Any) -> dict[str, Any]:
    """Trains the reward model in `directory`/reward, unless it is there, and returns what that took and its log."""
    train_reward(tokenized, tokenizer, directory / "reward", recipe, callback)
    log = json.loads((directory / "reward" / "adapter" / LOG).read_text())
    return {
        "reward_steps": log[-1]["step"],
        "reward_tokens": round(tokenized.tokens * recipe.told(RlhfSettings).reward_epochs),
        "reward_log": log,
    }


def reward_steps(recipe: Recipe, rows: int) -> int:
    """The reward model's optimizer steps: its epochs are its own."""
    epochs = {"epochs": recipe.told(RlhfSettings).reward_epochs, "max_steps": None, "max_tokens": None}
    return recipe.train.model_copy(update=epochs).steps(rows, 0)


def reward_steps_done(training: Path) -> int:
    """Steps of the reward model that lie in a training's directory."""
    directory = training / "reward"
    if is_sealed(directory / "adapter"):
        return int(json.loads((directory / "adapter" / LOG).read_text())[-1]["step"])
    return checkpoint_steps(last_checkpoint(directory / "checkpoints"))


def all_steps(recipe: Recipe, rows: int) -> int:
    """Steps to report progress on, those of the reward model too."""
    return reward_steps(recipe, rows) + recipe.train.steps(rows * recipe.told(RlhfSettings).generations, 0)


def load_reward(adapter: Path, tokenizer: Any, recipe: Recipe) -> Reward:
    """The reward model as a function: text in, number out."""
    import torch
    from peft import PeftModel

    model = PeftModel.from_pretrained(reward_model(recipe, tokenizer), str(adapter)).merge_and_unload()
    model = model.to(best_device()).eval()

    def reward(pairs: Sequence[tuple[Turns, str]]) -> list[float]:
        ids = [
            tokenize_turns([Message.model_validate(turn) for turn in turns], response, tokenizer)
            for turns, response in pairs
        ]
        scores = [0.0] * len(pairs)
        for rows in length_batches([len(one) for one in ids], REWARD_TOKENS[model.device.type]):
            inputs, mask = right_padded([ids[row] for row in rows], tokenizer.pad_token_id)
            with torch.inference_mode():
                output = model(input_ids=inputs.to(model.device), attention_mask=mask.to(model.device), use_cache=False)
                logits = output.logits[:, 0]
            for row, score in zip(rows, logits.float().tolist(), strict=True):
                scores[row] = score
        return scores

    return reward


def readable(text: str, finished: bool) -> str:
    """What of a completion is rewarded: of one that the limit cut its whole sentences, if any.

    The reward model has seen no text that ends within a sentence.
    """
    return whole_sentences(text, finished) or text


def make_trainer(tokenized: Tokenized, tokenizer: Any, directory: Path, recipe: Recipe) -> Any:
    """The on-policy trainer over the samples' prompts, with the reward model in `directory`/reward.

    Checkpoints go to `directory`.
    """
    from trl import RLOOConfig, RLOOTrainer

    from amends.training.order import resumable
    from amends.training.output_layer import score_labels_alone

    settings = recipe.told(RlhfSettings)
    ends = {end_of_turn_token(tokenizer), tokenizer.eos_token_id}
    reward = load_reward(directory / "reward" / "adapter", tokenizer, recipe)

    def reward_of_text(
        prompts: list[Any], completions: list[Any], completion_ids: list[list[int]], **_: Any
    ) -> list[float]:
        said = zip(completions, completion_ids, strict=True)
        texts = [readable(completion[-1]["content"], ids[-1] in ends) for completion, ids in said]
        return reward(list(zip(prompts, texts, strict=True)))

    pairs, prompts = len(tokenized.rows), tokenized.lengths.prompt[::2]
    read = sum(prompts) + pairs * settings.max_new_tokens  # at most
    steps = recipe.train.steps(pairs * settings.generations, read * settings.generations)
    copies = math.ceil(recipe.train.rows_a_step / pairs)  # where the prompts fill no step, TRL would make none
    trainer = resumable(RLOOTrainer)(
        model=recipe.load(max(prompts) + settings.max_new_tokens),
        reward_funcs=reward_of_text,
        args=recipe.arguments(
            RLOOConfig,
            directory,
            settings.rlhf_learning_rate,
            steps,
            include_num_input_tokens_seen="no",  # TRL's trainer counts what it generates itself
            **({"bf16": False} if best_device() == "cpu" else {}),  # it generates outside autocast, with its adapter
            beta=settings.kl,
            num_generations=settings.generations,
            max_completion_length=settings.max_new_tokens,
            chat_template_kwargs=SWITCHES,
            **batches(recipe.train, recipe.processes),
        ),
        train_dataset=tokenized.rows.select_columns("prompt").repeat(copies),
        processing_class=tokenizer,
        peft_config=recipe.lora(),
    )
    score_labels_alone(trainer.model, trainer.temperature)
    return trainer


def reward_model(recipe: Recipe, tokenizer: Any) -> Any:
    """The untouched model with one output for a whole sequence instead of the output layer."""
    from transformers import AutoModelForSequenceClassification, set_seed

    set_seed(recipe.seed % 2**31)  # the new output's first weights
    source = find_model(recipe.model)
    model = load_weights(AutoModelForSequenceClassification, source, best_device(), num_labels=1)
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return model


TRAINERS.register(
    "rlhf",
    Trainer(
        "rlhf",
        columns,
        make_trainer,
        record=Preference,
        settings=RlhfSettings,
        prepare=prepare,
        prepared_steps=reward_steps_done,
        steps=all_steps,
        padding_side="left",
        refusal=refusal,
        check=check,
        processes=sharing_rows,
        rereads=False,
        logged={"loss": "loss", "reward": "reward", "kl": "kl"},
    ),
)
