"""Trying guides in turn until a gate is content: what the stages that make training data have in common."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from amends.config import AnswerSettings, InduceSettings
from amends.errors import YieldError
from amends.prompts import UNGUIDED, Guide
from amends.protocols import Generator, Judge, ProgressCallback, Prompt, Sampling
from amends.records import Mistake, PromptRecord
from amends.seeds import derive_seed
from amends.text import whole_sentences

MANY_UNSCORED = 32  # texts at once, of which a gate scores none: it is broken, or no judge
NOT_A_MISTAKE = "no mistake"  # the reason of rows that were not tried, since their mistake did not pass its gate


class TrySettings(Protocol):
    """What a stage's settings say of its attempts."""

    @property
    def attempts(self) -> int:
        """Texts tried for each row before it is given up."""

    def sampling(self) -> Sampling:
        """How tokens are drawn."""


SettingsType = TypeVar("SettingsType", bound=TrySettings, covariant=True)
Row = TypeVar("Row", bound=PromptRecord)
Reason = Callable[[Row, Guide, str, float | None], str]
"""Why a text is not taken for a row, given its guide and the gate's probability of harmless; empty where it is."""


@dataclass(frozen=True)
class Task(Generic[SettingsType]):
    """What a stage works with: the model that writes, the gate that scores, and the guides, round k with guide k."""

    model: Generator
    gate: Judge
    guides: Sequence[Guide]
    settings: SettingsType
    seed: int


@dataclass
class Attempt:
    """What came of one row: the accepted text, else the best of the rejected ones. `score`: probability of harmless."""

    text: str = ""
    source: Literal["own", "origin"] = "own"
    guide: str | None = None
    attempts: int = 0
    passed: bool = False
    score: float | None = None
    reason: str = ""
    rejections: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Nothing is decided: there is neither a text that passed nor a reason to stop."""
        return not self.passed and not self.reason

    def facts(self) -> dict[str, Any]:
        """What a record says of how its text came about."""
        return {name: value for name, value in vars(self).items() if name != "text"}


def try_guides(
    rows: Sequence[Row],
    task: Task[TrySettings],
    seed: int,
    prompt: Callable[[Row, Guide], Prompt],
    reason: Reason[Row],
    begun: Mapping[str, Attempt],
    progress: ProgressCallback,
    wanted: Literal["harmful", "harmless"] | None = "harmless",
) -> list[Attempt]:
    """What came of each row: of what was `begun`, by id, as it is or, where it is open, after rounds until one passes.

    Texts that the token limit ended are cut back to whole sentences. Among rejected texts the one whose score is nearest
    to `wanted` is kept; without `wanted` the last one, and no score.
    """
    results = [begun.get(row.id) or Attempt() for row in rows]
    trying = [(row, result) for row, result in zip(rows, results, strict=True) if result.is_open]
    for round_number in range(task.settings.attempts):
        pending = [(row, result) for row, result in trying if not result.passed]
        if not pending:
            break
        guide = task.guides[round_number % len(task.guides)]
        generations = task.model.generate(
            [prompt(row, guide) for row, _ in pending],
            task.settings.sampling(),
            derive_seed(seed, "round", round_number),
            lambda _, tokens: progress(0, tokens),
        )
        texts = [whole_sentences(guide.text(made.text), made.finished) for made in generations]
        scores = task.gate.score([(row.prompt, text) for (row, _), text in zip(pending, texts, strict=True)])
        if round_number == 0 and all(score is None for score in scores) and sum(map(bool, texts)) >= MANY_UNSCORED:
            raise YieldError(
                f"gate {task.gate.name} scored none of {len(texts)} texts, so that nothing would pass; try it with `amends "
                "judge`, or name another (--gate, in a configuration gate: NAME)"
            )
        for (row, result), made, text, score in zip(pending, generations, texts, scores, strict=True):
            no_room = made.had_no_room
            why = "too long" if no_room else reason(row, guide, text, score)
            _record(result, guide, text, why, score if wanted and not no_room else None, wanted)
        progress(sum(result.passed for _, result in pending), 0)
    return results


def of_data_set(
    rows: Sequence[Row],
    task: Task[InduceSettings | AnswerSettings],
    texts: Sequence[str | None],
    reason: Reason[Row],
) -> dict[str, Attempt]:
    """What the data set's own texts give, by id: of `origin` all; of `both` those that pass, the others stay open."""
    if task.settings.source == "own":
        return {}
    found = {}
    given = {row.id: text for row, text in zip(rows, texts, strict=True) if text}
    asked = [(row.prompt, given[row.id]) for row in rows if row.id in given]
    scores = dict(zip(given, task.gate.score(asked), strict=True))
    for row in rows:
        text, score = given.get(row.id, ""), scores.get(row.id)
        why = reason(row, UNGUIDED, text, score)
        rejections = [why] if why and text else []
        if task.settings.source == "origin" or not why:
            found[row.id] = Attempt(text, "origin", None, 0, not why, score, why, rejections)
        else:
            found[row.id] = Attempt(rejections=rejections)
    return found


def no_mistakes(rows: Iterable[Mistake]) -> dict[str, Attempt]:
    """By id the rows that there is nothing to try for, since they did not pass their own gate."""
    return {row.id: Attempt(reason=NOT_A_MISTAKE) for row in rows if not row.passed}


def _record(result: Attempt, guide: Guide, text: str, reason: str, score: float | None, wanted: str | None) -> None:
    better = result.guide is None or _distance(score, wanted) <= _distance(result.score, wanted)
    result.attempts += 1
    result.passed, result.reason = not reason, reason
    if reason:
        result.rejections.append(reason)
    if result.passed or better:
        result.text, result.guide, result.score = text, guide.name, score


def _distance(score: float | None, wanted: str | None) -> float:
    """From what is wanted; unscored texts come after all scored ones."""
    if score is None:
        return 2.0
    return score if wanted == "harmful" else 1 - score
