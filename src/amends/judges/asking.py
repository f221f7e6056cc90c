"""Questions to a language model whose answers are JSON of one form: each is asked once, read, and kept."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from amends.errors import ModelError
from amends.judges.kept import KeptAnswers
from amends.protocols import Generator, Prompt, Sampling
from amends.records import Message
from amends.store import cache_directory, fingerprint

ANSWER_TOKENS = 300
KEPT_AT_ONCE = 64  # answers that a failure can lose; of an endpoint four to each request in flight
READING = 2  # raised when answers are read otherwise, so that those kept of before are asked for again

Form = TypeVar("Form", bound=BaseModel)


class Writer(Generator, Protocol):
    """A model that judges: it has a name, and can be freed."""

    name: str

    def release(self) -> None:
        """Frees the model."""


class Asker(Generic[Form]):
    """Asks questions, and remembers in a file what was answered, so that an answer is paid for once.

    Args:
        model: who answers.
        form: what an answer has to be.
        cache: the file of earlier answers; one in the user's cache for each model and form by default.
    """

    def __init__(self, model: Writer, form: type[Form], cache: Path | None = None) -> None:
        self.model = model
        self.form = form
        self._cache = cache

    def ask(self, questions: Sequence[str]) -> list[Form | None]:
        """An answer to each question; None where none could be read, which is asked again another time."""
        keys = [fingerprint(question=question) for question in questions]
        kept = KeptAnswers(self._path)
        known = {key: read_form(self.form, text) for key, text in kept.find(keys).items()}
        wanted = {key: question for key, question in zip(keys, questions, strict=True) if known.get(key) is None}
        pending = list(wanted.items())
        at_once = getattr(self.model, "at_once", None)
        # A GPU costs nothing by the answer.
        size = 4 * at_once if at_once else getattr(self.model, "rows_at_once", None) or KEPT_AT_ONCE
        for start in range(0, len(pending), size):
            some = pending[start : start + size]
            prompts = [Prompt((Message(role="user", content=question),)) for _, question in some]
            try:
                made = self.model.generate(prompts, Sampling(ANSWER_TOKENS, temperature=0.0), 0)
            except ModelError as error:
                raise type(error)(f"{error} What it had answered before these {len(some)} questions is kept") from error
            read = {key: read_form(self.form, one.text) for (key, _), one in zip(some, made, strict=True)}
            known |= read
            kept.keep({key: json.dumps(answer.model_dump()) for key, answer in read.items() if answer is not None})
        return [known.get(key) for key in keys]

    @property
    def _path(self) -> Path:
        name = fingerprint(model=self.model.fingerprint, form=self.form.model_json_schema(), reading=READING)
        return self._cache or cache_directory() / "answers" / f"{name[:32]}.sqlite"

    def release(self) -> None:
        """Frees the model."""
        self.model.release()


def read_form(form: type[Form], text: str) -> Form | None:
    """The form in a model's answer, which may stand in a code block or between words.

    None where there is none, and where several differ: one may be quoted from what is judged.
    """
    found: list[Form] = []
    start = text.find("{")
    while start >= 0:
        end = start + 1
        try:
            value, after = json.JSONDecoder().raw_decode(text, start)
            found.append(form.model_validate(value))
            end = after
        except (ValueError, RecursionError):  # no JSON begins here, or it is not the form
            pass
        start = text.find("{", end)
    return found[0] if found and all(one == found[0] for one in found) else None
