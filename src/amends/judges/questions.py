"""Questions to a language model whose answers are JSON of one form: each is asked once, read, and kept."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Generic

from amends.errors import ModelError
from amends.judges.answer_store import KeptAnswers
from amends.judges.reading import READING, Form, read_form
from amends.judges.readings import Counted, Readings
from amends.models.base import Model, Prompt, Sampling
from amends.records import Message
from amends.storage.files import cache_directory, fingerprint

ANSWER_TOKENS = 300


class Asker(Generic[Form]):
    """Asks questions, and remembers in a file what was answered, so that an answer is paid for once.

    Args:
        model: who answers.
        form: what an answer has to be.
        cache: the file of earlier answers; one in the user's cache for each model and form by default.
    """

    def __init__(self, model: Model, form: type[Form], cache: Path | None = None) -> None:
        self.model = model
        self.form = form
        self._cache = cache
        self.readings = Readings()

    def ask(self, questions: Sequence[str]) -> list[Form | None]:
        """An answer to each question; None where none could be read, which is asked again another time."""
        keys = [fingerprint(question=question) for question in questions]
        kept = KeptAnswers(self._path)
        known = {key: self._kept(text) for key, text in kept.find(keys).items()}
        wanted = {key: question for key, question in zip(keys, questions, strict=True) if known.get(key) is None}
        pending = list(wanted.items())
        size = self.model.rows_between_saves
        for start in range(0, len(pending), size):
            some = pending[start : start + size]
            prompts = [Prompt((Message(role="user", content=question),)) for _, question in some]
            try:
                made = self.model.generate(prompts, Sampling(ANSWER_TOKENS, temperature=0.0), 0)
            except ModelError as error:
                raise type(error)(f"{error} What it had answered before these {len(some)} questions is kept") from error
            read = {
                key: read_form(self.form, one.text, question, one.finished)
                for (key, question), one in zip(some, made, strict=True)
            }
            known |= read
            self._count(read.values(), [one.text for one in made])
            kept.keep({key: json.dumps(answer.model_dump()) for key, answer in read.items() if answer is not None})
        return [known.get(key) for key in keys]

    def unread(self) -> str:
        """What is to be said of answers since the last call: nothing, unless most of them could not be read."""
        return self.readings.take().said(self.model.name, self.form.__name__.lower())

    def _count(self, read: Iterable[Form | None], texts: Sequence[str]) -> None:
        unread = [text.strip() for one, text in zip(read, texts, strict=True) if one is None]
        self.readings.add(Counted(len(texts), len(unread), next(filter(None, unread), "")))

    def _kept(self, text: str) -> Form | None:
        try:
            return self.form.model_validate(json.loads(text))
        except (ValueError, RecursionError):
            return None

    @property
    def _path(self) -> Path:
        name = fingerprint(model=self.model.fingerprint, form=self.form.model_json_schema(), reading=READING)
        return self._cache or cache_directory() / "answers" / f"{name[:32]}.sqlite"
