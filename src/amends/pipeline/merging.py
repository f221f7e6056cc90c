"""An adapter merged into its model: written in bfloat16, and compared with the adapter on the model itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import MeasurementError
from amends.models.adapters import check_fit
from amends.models.hf import LocalModel
from amends.models.libraries import quiet_libraries
from amends.models.loading import load_tokenizer, load_weights
from amends.models.source import ModelSource, find_model
from amends.prompts import UNGUIDED

ANSWERS = DataSettings(source="bundled:redteam/test", limit=6)
"""What the log-probabilities are compared on: prompts with safe answers of some sentences."""
MERGING = 0.001
"""Nats a token that merging itself may move an answer in float32, by the order of sums."""
ROUNDING = 0.02
"""Nats a token that rounding to bfloat16 may move an answer, at most."""
SHARE = 0.25
"""Of what the adapter itself moves answers: where rounding takes more, the training would be lost in it."""


@dataclass(frozen=True)
class Parity:
    """Mean absolute differences of answers' log-probabilities, in nats a token.

    `moved`: by the adapter, and `merged`: by merging it in float32; None where all weights were trained. `rounded`:
    between what was written and the adapter on the model in float32.
    """

    moved: float | None
    merged: float | None
    rounded: float
    answers: int

    @property
    def in_words(self) -> str:
        """One line."""
        moved = "" if self.moved is None else f"; the adapter itself moves {self.moved:.4f}"
        return f"parity over {self.answers} answers: {self.rounded:.4f} nats a token from float32{moved}"

    def check(self) -> None:
        """Raises MeasurementError where more than rounding lies between the two."""
        rounding = ROUNDING if self.moved is None else min(ROUNDING, SHARE * self.moved)
        for found, most in ((self.merged, MERGING), (self.rounded, rounding)):
            if found is not None and not found <= most:  # what is no number is refused, too
                raise MeasurementError(
                    f"the merged model is not the trained one: its answers' log-probabilities differ by {found:.4f} "
                    f"nats a token, and {most:.4f} are rounding; use the adapter as it is (vllm serve --enable-lora)"
                )


def write_merged(model: LocalModel, out: Path, template: str | None = None) -> Parity:
    """Writes the model with its adapter as bfloat16 safetensors with the tokenizer, and compares the two.

    All is computed in float32 on the CPU, where sums do not depend on a GPU's order: 4 bytes a parameter at a time.

    Args:
        model: with its adapter; loads no weights of its own.
        out: a directory, which does not exist.
        template: the chat template, in the place of the model's.

    Raises:
        ModelError: the adapter does not fit the model.
        MeasurementError: what was written answers otherwise, beyond the rounding to bfloat16.
    """
    import torch
    from peft import PeftModel

    quiet_libraries()
    source, moved, merged = model.source, None, None
    answers = _answers(model)
    whole = _load(source)
    if model.adapter:
        check_fit(source, model.adapter)
        alone = _losses(whole, answers, model)
        adapted = PeftModel.from_pretrained(whole, str(model.adapter))
        expected = _losses(whole, answers, model)  # its layers have the adapter beside them now
        moved = _difference(alone, expected)
        whole = adapted.merge_and_unload()
        merged = _difference(expected, _losses(whole, answers, model))
        del adapted
    else:
        expected = _losses(whole, answers, model)
    whole.to(torch.bfloat16).save_pretrained(out)
    tokenizer = load_tokenizer(source)
    tokenizer.chat_template = template or tokenizer.chat_template
    tokenizer.save_pretrained(out)
    del whole
    written = _losses(_load(find_model(str(out))), answers, model)
    parity = Parity(moved, merged, _difference(expected, written), len(answers))
    parity.check()
    return parity


def _load(source: ModelSource) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return load_weights(AutoModelForCausalLM, source, "cpu", dtype=torch.float32).eval()


def _answers(model: LocalModel) -> list[tuple[list[int], list[int]]]:
    """Tokens of prompts and answers."""
    rows = list(load_instructions(ANSWERS))
    texts = [(model.render(UNGUIDED.prompt(row.prompt)), row.chosen or "") for row in rows]
    read = [[list(model.tokenizer(one, add_special_tokens=False).input_ids) for one in pair] for pair in texts]
    return [(context, answer) for context, answer in read]


def _losses(whole: Any, answers: list[tuple[list[int], list[int]]], model: LocalModel) -> list[float]:
    """Nats a token of each answer."""
    from amends.models.losses import losses_of

    found = losses_of(whole, answers, model.tokenizer.pad_token_id)
    return [loss / len(answer) for loss, (_, answer) in zip(found, answers, strict=True)]


def _difference(some: list[float], others: list[float]) -> float:
    return sum(abs(a - b) for a, b in zip(some, others, strict=True)) / len(some)
