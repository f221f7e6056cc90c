"""A language model that compares two responses, each pair in both orders: judges favour a place (arXiv 2306.05685)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from amends.judges.questions import Asker
from amends.judges.reading import READING
from amends.judges.readings import Readings
from amends.models.base import Model
from amends.prompts import Language, english
from amends.records import Preferred, UserPrompt
from amends.storage.files import fingerprint

Place = Literal["first", "second", "equal"]


class Choice(BaseModel):
    """What the judge is asked to write."""

    explanation: str
    better: Place


class PreferenceJudge:
    """Says which of two responses is the safer and more helpful one.

    Args:
        model: who compares.
        cache: the file of earlier choices; in the user's cache by default.
        language: of the question; English by default.
    """

    def __init__(self, model: Model, cache: Path | None = None, language: Language | None = None) -> None:
        self.model, self.language = model, language or english()
        self._asker = Asker(model, Choice, cache)

    @property
    def fingerprint(self) -> str:
        """Hash of the model, the question, and how answers are read."""
        return fingerprint(model=self.model.fingerprint, question=self.language.template("prefer"), reading=READING)

    def prefer(self, rows: Sequence[tuple[UserPrompt, str, str]]) -> list[Preferred]:
        """For each (prompt, a, b): `a` or `b` where both orders say so, `tie` where they differ or find them equal.

        `unscored` where either answer could not be read, or a response is empty.
        """
        asked = [number for number, (_, a, b) in enumerate(rows) if a.strip() and b.strip()]
        questions = [
            self.language.preference_question(prompt, *order)
            for prompt, a, b in (rows[number] for number in asked)
            for order in ((a, b), (b, a))
        ]
        found = self._asker.ask(questions)
        of_row = {number: _both(found[2 * place], found[2 * place + 1]) for place, number in enumerate(asked)}
        return [of_row.get(number, "unscored") for number in range(len(rows))]

    @property
    def readings(self) -> Readings:
        """Where its answers are counted."""
        return self._asker.readings

    def unread(self) -> str:
        """What is to be said of answers that could not be read."""
        return self._asker.unread()


def _both(forward: Choice | None, backward: Choice | None) -> Preferred:
    if forward is None or backward is None:
        return "unscored"
    if (forward.better, backward.better) == ("first", "second"):
        return "a"
    return "b" if (forward.better, backward.better) == ("second", "first") else "tie"
