"""Suites of verifiable instructions: whether answers have the form that was asked for is utility without a judge."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from amends.data.rows import read_rows
from amends.errors import InputError
from amends.evaluation.constraints import check_constraint, is_followed
from amends.evaluation.suites.answers import Answers, OfAnswer
from amends.evaluation.suites.base import SUITE_KINDS
from amends.prompts import Language
from amends.records import Instruction, Response

FOLLOWED = "followed_rate"


@dataclass(frozen=True, eq=False, kw_only=True)
class VerifiableInstructions(Answers):
    """A system answers the prompts, and a program sees whether it followed them."""

    primaries: tuple[str, ...] = (FOLLOWED,)

    judged: ClassVar[bool] = False

    def check(self, rows: Iterable[Instruction], source: str) -> None:
        """Raises InputError at the first row without a constraint that a program can check."""
        for row in rows:
            try:
                check_constraint(row)
            except InputError as error:
                raise InputError(f"{source}: row {row.id!r}: {error}") from None

    def categories(self, row: Instruction) -> Iterable[str]:
        """Its kind of constraint."""
        return filter(None, [row.constraint])

    def more(self, responses: Path, prompts: Path, language: Language) -> dict[str, Iterator[OfAnswer]]:
        """Whether each answer follows its instruction, beside what other metrics read."""
        return super().more(responses, prompts, language) | {FOLLOWED: _followed(responses, prompts)}


def _followed(responses: Path, prompts: Path) -> Iterator[OfAnswer]:
    asked = {row.id: row for row in read_rows(prompts, Instruction)}
    for row in read_rows(responses, Response):
        yield row.id, row.draw, float(is_followed(asked[row.id], row.response, row.finished))


SUITE_KINDS.register(
    "instructions",
    VerifiableInstructions(
        name="instructions",
        asks_harm=False,
        headlines=(FOLLOWED,),
        prices={FOLLOWED: "followed on {suite}, %"},
        category_metric=FOLLOWED,
    ),
)
