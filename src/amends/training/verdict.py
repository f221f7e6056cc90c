"""Ends a training when the model's own verdict is learnt, as held-out rows tell, and not at a number of steps.

The verdict is how much likelier the model finds "harmless" than "harmful" as an answer to the neutral question
(`judges/own_verdict.py`); it is learnt when its AUROC on mistakes and harmless answers that it is not trained on is
high enough. What is measured at a step hangs on the weights of that step alone, and no checkpoint lies at the last one:
a training that was interrupted ends where one that was not would have ended.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

from amends.errors import SampleError
from amends.models.decoding.batches import right_padded
from amends.prompts import Language
from amends.records import Sample
from amends.seeds import fixed_share
from amends.training import ranks
from amends.training.sample_kinds.base import SAMPLE_KINDS
from amends.training.settings import TrainSettings
from amends.training.tokenize import NO_LOSS, TokenizedSample, tokenize_sample

HELD_SHARE, MOST_HELD, FEWEST_HELD = 0.15, 32, 8  # of each verdict; 32 of either tell .8 from .5 at once
COPY = re.compile(r"([#*+]\d+)+$")  # how copies of a row, or of a sample, are numbered
BATCH_ROWS = 4


class VerdictWatch:
    """Keeps some verdicts out of the training, and measures them while it goes on.

    Args:
        train: `stop_at_verdict` is the AUROC at which it ends, `verdict_steps` the steps between two looks.
        language: in which the samples were composed.
    """

    def __init__(self, train: TrainSettings, language: Language) -> None:
        self.train, self.language = train, language
        self.held: dict[str, list[Sample]] = {
            language.template("says_harmful"): [],
            language.template("says_harmless"): [],
        }
        self.log: list[dict[str, float]] = []

    def kept(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples to train on: without those that show a response to an instruction which is held out.

        All of them where no sample is a verdict: there is nothing to measure then. Raises SampleError at the end where
        fewer than 8 verdicts of either kind are held out.
        """
        held: list[Sample] = []
        verdicts = False
        for sample in samples:
            verdicts = verdicts or sample.kind == "verdict"
            if SAMPLE_KINDS[sample.kind].judges and is_held(sample):
                held.append(sample)
            else:
                yield sample
        if not verdicts:
            yield from held
            return
        for sample in held:
            if sample.kind == "verdict" and len(self.held[sample.completion[0].content]) < MOST_HELD:
                self.held[sample.completion[0].content].append(sample)
        fewest = min(map(len, self.held.values()))
        if fewest < FEWEST_HELD:
            raise SampleError(
                f"train.stop_at_verdict: {fewest} verdicts of a kind are held out, and {FEWEST_HELD} of each are "
                "needed; take more instructions, or null"
            )

    @property
    def facts(self) -> dict[str, Any]:
        """Of each look the step and the AUROC; nothing where nothing was held out."""
        return {"verdicts": self.log} if any(self.held.values()) else {}

    def callback(self, tokenizer: Any) -> Any:
        """What the trainer calls behind each step."""
        from transformers import TrainerCallback

        watch, rows = self, self._rows(tokenizer)

        class Watch(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
                if state.global_step % watch.train.verdict_steps or not all(watch.held.values()):
                    return
                # All look, and the first decides: they have to end at the same step.
                found = ranks.of_first(auroc(*(_harmless(model, side) for side in rows)))
                watch.log.append({"step": state.global_step, "verdict_auroc": round(found, 4)})
                if found >= (watch.train.stop_at_verdict or 1.0):
                    control.should_training_stop, control.should_log = True, True
                    control.should_save = False  # a checkpoint here would be gone on from

        return Watch()

    def _rows(self, tokenizer: Any) -> list[list[tuple[TokenizedSample, TokenizedSample]]]:
        """Of mistakes, and of harmless answers: each question with the verdict harmless and with harmful."""
        harmful, harmless = self.held

        def said(sample: Sample, verdict: str) -> TokenizedSample:
            message = sample.completion[0].model_copy(update={"content": verdict})
            return tokenize_sample(sample.model_copy(update={"completion": [message]}), tokenizer, self.language)

        return [[(said(one, harmless), said(one, harmful)) for one in rows] for rows in self.held.values()]


def is_held(sample: Sample) -> bool:
    """Whether the instruction that a sample is about is held out, with all that is shown of responses to it."""
    name = sample.id.removeprefix(f"{sample.kind}-")
    if sample.kind == "verdict":
        name = name.removeprefix("harmful-").removeprefix("harmless-")
    return fixed_share(f"held out {COPY.sub('', name)}") < HELD_SHARE


def auroc(low: Sequence[float], high: Sequence[float]) -> float:
    """How often one of `high` is above one of `low`; equals count half.

    Example:
        >>> auroc([0.1, 0.5], [0.5, 0.9])
        0.875
    """
    above = sum((b > a) + 0.5 * (b == a) for a in low for b in high)
    return above / (len(low) * len(high))


def _harmless(model: Any, rows: Sequence[tuple[TokenizedSample, TokenizedSample]]) -> list[float]:
    """How much likelier each row's verdict harmless is than harmful, in nats."""
    harmless, harmful = (_nats(model, [row[side] for row in rows]) for side in (0, 1))
    return [b - a for a, b in zip(harmless, harmful, strict=True)]


def _nats(model: Any, rows: Sequence[TokenizedSample]) -> list[float]:
    """Negative log-likelihood of what carries loss in each row."""
    training, found = model.training, []
    model.eval()
    with torch.no_grad():
        for first in range(0, len(rows), BATCH_ROWS):
            found += _batch_nats(model, rows[first : first + BATCH_ROWS])
    model.train(training)
    return found


def _batch_nats(model: Any, rows: Sequence[TokenizedSample]) -> list[float]:
    ids, mask = (one.to(model.device) for one in right_padded([row.input_ids for row in rows], 0))
    labels = right_padded([row.labels for row in rows], NO_LOSS)[0].to(model.device)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    losses = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), labels[:, 1:], ignore_index=NO_LOSS, reduction="none"
    )
    return [float(nats) for nats in losses.sum(1)]
