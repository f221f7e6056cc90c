"""What the methods of a configuration are trained on, and what is refused of it before a run starts."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from amends.config.methods import kinds_of, with_starts
from amends.config.settings import Configuration
from amends.data.sources import load_instructions
from amends.errors import InputError
from amends.models.base import SHORT
from amends.prompts import Language
from amends.records import Instruction, Message, Role, messages_of, prompt_of
from amends.training.sample_kinds.base import SAMPLE_KINDS, Planned
from amends.training.tokenize import tokenize_turns


@dataclass(frozen=True)
class TrainingData:
    """The rows that samples are made of.

    Attributes:
        configuration: whose methods are trained.
        language: of the questions that samples ask.
    """

    configuration: Configuration
    language: Language

    @property
    def kinds(self) -> set[str]:
        """The kinds of samples that any method, or one that it goes on from, is trained on."""
        return kinds_of(with_starts(self.configuration.methods), self.configuration.shares)

    @property
    def planned(self) -> Planned:
        """What kinds of samples can know of what is going to be made."""
        return Planned(**self.configuration.planned, language=self.language)

    def of_chosen(self) -> list[str]:
        """The training sets whose `chosen` become targets."""
        taken = {name for kind in self.kinds for name in SAMPLE_KINDS[kind].chosen(self.planned)}
        return [name for name in self.configuration.training_sets() if name in taken]

    def check_answers(self) -> None:
        """Raises InputError where methods learn from safe answers of the data set alone, and it has none."""
        shares, instructions = self.configuration.shares, self.configuration.training_sets()["instructions"]
        kinds = {name: [SAMPLE_KINDS[kind] for kind in kinds_of([name], shares)] for name in self.configuration.methods}
        lacking = [
            name
            for name, trained in kinds.items()
            if any(kind.needs_chosen for kind in trained) and not any(kind.made_by_model for kind in trained)
        ]
        rows = instructions.model_copy(update={"distinct_prompts": False})  # for which all would be read
        if lacking and not any(row.chosen for row in load_instructions(rows)):
            raise InputError(
                f"{instructions.source}: no row has `chosen`, a safe answer to train on, for the methods "
                f"{', '.join(lacking)}; map a column to it, or name methods that need none (mistake-analysis-plus)"
            )

    def check_lengths(self, sets: Mapping[str, Iterable[Instruction]], tokenizer: Any) -> None:
        """Raises InputError for rows whose samples could be longer than `train.max_length`, before these are made."""
        if not self.kinds:
            return
        limit = self.configuration.train.max_length
        frame_tokens = functools.cache(lambda roles: _frame_tokens(roles, tokenizer))
        kinds, planned = [SAMPLE_KINDS[kind] for kind in self.kinds], self.planned
        long: dict[str, int] = {}
        for name, rows in sets.items():
            for row in rows:
                frame = frame_tokens(tuple(turn.role for turn in messages_of(row.prompt)))
                for text, made in (part for kind in kinds for part in kind.parts(name, row, planned)):
                    if frame + len(text.encode("utf-8", "replace")) + made > limit:  # a token has at least a byte
                        tokens = frame + len(tokenizer(text, add_special_tokens=False).input_ids) + made
                        if tokens > limit:
                            long[f"{name}: {row.id}"] = max(tokens, long.get(f"{name}: {row.id}", 0))
        if long:
            first = ", ".join(islice(long, 10)) + (", ..." if len(long) > 10 else "")
            raise InputError(
                f"{len(long)} training rows could make samples of more than train.max_length, {limit} tokens ({first})"
                f"; set train.max_length to {max(long.values())}, for which training needs more memory, or leave them "
                "out of the data (of mistake-analysis-plus answer.source=own leaves out the data's answers)"
            )


def _frame_tokens(roles: Sequence[Role], tokenizer: Any) -> int:
    """What the template writes around turns of these roles: of one with a short question, of more beyond a transcript.

    A row's text already has the names of its speakers.
    """
    whole, beyond = len(tokenize_turns(SHORT.messages, "Hi.", tokenizer)), []
    for short in ([Message(role=role, content="Hello.") for role in roles], SHORT.messages):
        transcript = tokenizer(f"{prompt_of(short)} Hi.", add_special_tokens=False).input_ids
        beyond.append(len(tokenize_turns(short, "Hi.", tokenizer)) - len(transcript))
    return whole + beyond[0] - beyond[1]
