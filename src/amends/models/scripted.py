"""A model that answers from a function: for tests of stage logic, never for results."""

from collections.abc import Callable, Sequence

from amends.models.base import Generation, Model, Prompt, Sampling
from amends.progress import ProgressCallback, no_progress
from amends.storage.files import fingerprint


class ScriptedModel(Model):
    """Answers each prompt with `answer(prompt, seed)`; equal names count as equal models."""

    capacity: int | None = None

    def __init__(self, name: str, answer: Callable[[Prompt, int], str]) -> None:
        self.name = name
        self.answer = answer
        self.calls = 0

    @property
    def fingerprint(self) -> str:
        """Hash of the name."""
        return fingerprint(scripted=self.name)

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """The function's answers, in order."""
        self.calls += 1
        texts = [self.answer(prompt, seed) for prompt in prompts]
        made = [Generation(text=text, finished=True, tokens=len(text.split())) for text in texts]
        progress(len(made), sum(one.tokens for one in made))
        return made
