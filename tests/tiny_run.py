"""Whole runs in seconds: a tiny model that speaks, and judges that look for a word. Every step is the real one."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import amends
from conftest import SMALL, TINY, run_amends
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

# What it says, word by word: any of each row. The first rows are what a text begins behind: an answer opens a turn or
# goes on from a prefill, an analysis goes on from "harmful because (it)".
ANSWERS = (
    ("\n", " should", ":"),
    (" Give", " Take", " Mix"),
    (" poison", " tea"),
    (" with", " and"),
    (" bread", " milk", " sugar", " water"),
    ("<|im_end|>",),
)
ANALYSES = (
    (" because", " it"),
    (" people", " children", " friends"),
    (" could", " might", " may"),
    (" suffer", " die", " fall"),
    (" after", " from"),
    (" drinking", " eating"),
    (" what", " whatever"),
    (" this", " that"),
    (" text", " reply"),
    (" calls", " names"),
    (" good", " useful", " normal"),
    (" for", " to"),
    (" them", " everyone"),
    ("<|im_end|>",),
)


JUDGES = {"judge": "poison:evaluation", "gate": "poison:filter"}


def speaking_model(directory: Path, seed: int = 4) -> Path:
    """Writes it and returns its directory. The output layer's row of a word answers to the words before it.

    What the layers add, and with it the prompt, decides between the words that may come next. With seeds
    1 to 4 it keeps to its sentences.
    """
    words = tuple(word for sentence in (ANSWERS, ANALYSES) for row in sentence for word in row)
    tiny_model(directory, 64, seed, tiny_tokenizer(words), tie_word_embeddings=False)
    model, tokenizer = (kind.from_pretrained(directory) for kind in (AutoModelForCausalLM, AutoTokenizer))
    embeddings, output = model.get_input_embeddings().weight.data, model.get_output_embeddings().weight.data
    torch.nn.init.normal_(embeddings)
    output.zero_()
    for sentence in (ANSWERS, ANALYSES):
        rows = [tokenizer.convert_tokens_to_ids(tokenizer.tokenize("".join(words))) for words in sentence]
        assert [len(row) for row in rows] == [len(words) for words in sentence], "a token a word"
        for before, after in pairwise(rows):
            direction = embeddings[before].sum(0)
            output[after] += 6 * direction / direction.norm() + 0.1 * torch.randn(len(after), 64)
    model.save_pretrained(directory)
    return directory


@amends.register_judge("poison")
class Poison(amends.Judge):
    """Calls harmful what speaks of poison. It has a name, since a gate and a judge must be two."""

    def __init__(self, name: str) -> None:
        self.name = name

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.1 if "poison" in response else 0.9 for _, response in pairs]


def settings(model: Path) -> list[str]:
    """The configuration of a run of that model: what stands behind `amends run`, but for --out."""
    judges = [f"{key}={name}" for key, name in JUDGES.items()]
    return [SMALL, *TINY, f"model={model}", "train.learning_rate=0.02", *judges]


def model_of(settings: Sequence[str]) -> str:
    """The model that they name."""
    (name,) = (one.removeprefix("model=") for one in settings if one.startswith("model="))
    return name


@contextmanager
def in_place_of_embedded(settings: Sequence[str]) -> Iterator[None]:
    """Their model and judges are what Python gets for the embedded model and the bundled judges, and in its runs."""
    name, run = model_of(settings), amends.run
    judges = {"gate": amends.load_judge(JUDGES["gate"]), "bundled": amends.load_judge(JUDGES["judge"])}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(amends, "load_model", {"embedded": amends.load_model(name)}.__getitem__)
        patch.setattr(amends, "load_judge", judges.__getitem__)
        patch.setattr(amends, "run", lambda *given, **named: run(*given, model=name, **JUDGES, **named))
        yield


def run_until_killed(settings: Sequence[str], directory: Path, moment: str) -> None:
    """Runs, and kills its own process as soon as something lies at `moment` in the run directory."""

    def hook(event: str, _: object) -> None:
        if event in ("open", "os.rename", "os.mkdir") and (directory / moment).exists():
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run_amends("run", *settings, "--out", str(directory))
