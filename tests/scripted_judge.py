"""What the tests of the stages share: a judge and models that follow a script, and how a stage is run and read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from amends.judges.base import Judge
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.scripted import ScriptedModel
from amends.pipeline.executors.local import Local
from amends.progress import ProgressCallback, no_progress
from amends.records import Record
from amends.storage.artifacts import Artifact

RecordType = TypeVar("RecordType", bound=Record)
HERE = Local()
SAMPLING = Sampling(max_new_tokens=8)


class ScriptedJudge(Judge):
    """Scores by a function of prompt and response, and remembers what it was shown."""

    name = "scripted"

    def __init__(self, score: Callable[[str, str], float | None]) -> None:
        self.function = score
        self.seen: list[tuple[str, str]] = []

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        self.seen += pairs
        return [self.function(prompt, response) for prompt, response in pairs]


class CutModel(Model):
    """Every text is cut by the token limit."""

    name = fingerprint = "cut"

    def __init__(self, answer: Callable[[Prompt, int], str]) -> None:
        self.answer = answer

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        texts = [self.answer(prompt, seed) for prompt in prompts]
        return [Generation(text=text, finished=False, tokens=len(text.split())) for text in texts]


def dying_model(answer: Callable[[Prompt, int], str], calls: int) -> ScriptedModel:
    """Interrupted, as by Ctrl-C, in the call after so many."""
    model = ScriptedModel("m", answer)

    def answer_or_die(prompt: Prompt, seed: int) -> str:
        if model.calls > calls:
            raise KeyboardInterrupt
        return answer(prompt, seed)

    model.answer = answer_or_die
    return model


def by_word(word: str, present: float = 0.1, absent: float = 0.9) -> ScriptedJudge:
    """Harmful is what has a certain word in it; nothing can be said of an empty response."""
    return ScriptedJudge(lambda _, response: None if not response else present if word in response else absent)


def artifact_in(directory: Path, name: str = "out.jsonl") -> Artifact:
    return Artifact(directory / name, {"test": 1})


def written(artifact: Artifact, kind: type[RecordType]) -> list[RecordType]:
    """The records in a part that is not yet finished."""
    return [kind.model_validate_json(line) for line in artifact.part.read_bytes().splitlines()]
