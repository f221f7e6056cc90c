"""A model that answers from a function: for tests of stage logic, never for results."""

from collections.abc import Callable, Sequence

from amends.protocols import Generation, ProgressCallback, Prompt, Sampling, no_progress
from amends.store import fingerprint


class ScriptedModel:
    """Answers each prompt with `answer(prompt, seed)`; equal names count as equal models."""

    def __init__(self, name: str, answer: Callable[[Prompt, int], str]) -> None:
        self.name = name
        self.answer = answer
        self.calls = 0

    @property
    def fingerprint(self) -> str:
        """Hash of the name."""
        return fingerprint(scripted=self.name)

    def check(self, prompt: Prompt) -> None:
        """Takes any prompt."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, seed: int, progress: ProgressCallback = no_progress
    ) -> list[Generation]:
        """The function's answers, in order."""
        self.calls += 1
        texts = [self.answer(prompt, seed) for prompt in prompts]
        made = [Generation(text=text, finished=True, tokens=len(text.split())) for text in texts]
        progress(len(made), sum(one.tokens for one in made))
        return made
