"""Trying guides in turn until a gate is content: what the stages that make training data have in common."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Generic, Literal, Protocol, TypeVar

from amends.errors import YieldError
from amends.judges.base import Judge
from amends.judges.rows import score_rows
from amends.models.base import Generation, Model, Prompt, Sampling
from amends.models.turns import Turn, Turns
from amends.progress import ProgressCallback, observer, report
from amends.prompts import UNGUIDED, Guide, Language, english
from amends.records import Made, PromptRecord
from amends.seeds import fixed_share
from amends.stages.settings import Source
from amends.text.reasoning import has_reasoning, without_reasoning
from amends.text.words import whole_sentences

MANY_UNSCORED = 32  # texts at once, of which a gate scores none: it is broken, or no judge
NOT_A_MISTAKE = "no mistake"
NO_ANSWER, NO_ANALYSIS = "no safe answer", "no analysis"
NOT_TRIED = (NOT_A_MISTAKE, NO_ANSWER, NO_ANALYSIS)
"""The reasons of rows that were not tried, since what they are made of did not pass its own gate."""


class TrySettings(Protocol):
    """What a stage's settings say of its attempts."""

    @property
    def attempts(self) -> int:
        """Texts tried for each row before it is given up."""

    def sampling(self) -> Sampling:
        """How tokens are drawn."""


class OriginSettings(TrySettings, Protocol):
    """Of a stage that can take the data set's own texts."""

    @property
    def source(self) -> Source:
        """Whose texts are taken."""


SettingsType = TypeVar("SettingsType", bound=TrySettings, covariant=True)
Row = TypeVar("Row", bound=PromptRecord)
Tried = TypeVar("Tried")
Reason = Callable[[Row, Guide, str, float | None], str]
"""Why a text is not taken for a row, given its guide and the gate's probability of harmless; empty where it is."""


@dataclass(frozen=True)
class Task(Generic[SettingsType]):
    """What a stage works with: the model that writes, the gate that scores, and the guides, attempt k with guide k.

    `language` is what the model is asked in, and its texts are read by.
    """

    model: Model
    gate: Judge
    guides: Sequence[Guide]
    settings: SettingsType
    seed: int
    language: Language = field(default_factory=english)


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
    wanted: Literal["harmful", "harmless"] | None = "harmless",
    vary: bool = False,
) -> list[Attempt]:
    """What comes of each row: of what was `begun`, by id, as it is or, where it is open, of attempts until one passes.

    A row that failed its gate is asked with its next guide as soon as the model can, beside rows at their first.
    With `vary` each row begins with the guide that its id fixes (`in_turn`). Texts that the token limit ended are
    cut back to whole sentences. Among rejected texts the one whose score is nearest to `wanted` is kept; without
    `wanted` the last one, and no score.
    """
    results = [begun.get(row.id) or Attempt() for row in rows]
    trying = [(row, result) for row, result in zip(rows, results, strict=True) if result.is_open]
    gated = _Gated(task.gate)

    def guide_of(turn: Turn) -> Guide:
        return next(islice(in_turn(task.guides, trying[turn.row][0].id, vary), turn.attempt, None))

    def take(answered: Sequence[tuple[Turn, Generation]]) -> list[bool]:
        found = [(*trying[turn.row], guide_of(turn), made) for turn, made in answered]
        texts = [whole_sentences(guide.text(made.text), made.finished) for _, _, guide, made in found]
        first = [turn.attempt == 0 for turn, _ in answered]
        scores = gated.scores([row for row, *_ in found], texts, first)
        for (row, result, guide, made), text, score in zip(found, texts, scores, strict=True):
            no_room = made.had_no_room
            why = "too long" if no_room else _held(text) or reason(row, guide, text, score)
            _record(result, guide, text, why, score if wanted and not no_room else None, wanted)
        report(rows=sum(result.passed for _, result, *_ in found))
        return [result.passed for _, result, *_ in found]

    def asked(turn: Turn) -> Prompt:
        return prompt(trying[turn.row][0], guide_of(turn))

    turns = Turns(len(trying), task.settings.attempts, asked, take)
    task.model.generate_until_taken(turns, task.settings.sampling(), seed, tokens_alone())
    return results


@dataclass
class _Gated:
    """A gate at work on the texts of some rows; of first attempts it is counted how many it scored."""

    gate: Judge
    written: int = 0
    scored: int = 0

    def scores(self, rows: Sequence[PromptRecord], texts: Sequence[str], first: Sequence[bool]) -> list[float | None]:
        """Its scores of texts, each a `first` attempt or not. Raises YieldError where it scores none of many."""
        asked = [(row.prompt, text) for row, text in zip(rows, texts, strict=True)]
        scores = score_rows(self.gate, [row.id for row in rows], asked)
        self.written += sum(bool(text) and begins for text, begins in zip(texts, first, strict=True))
        self.scored += sum(score is not None for score in scores)
        if not self.scored and self.written >= MANY_UNSCORED:
            raise YieldError(
                f"gate {self.gate.name} scored none of {self.written} texts, so that nothing would pass; try it with "
                "`amends judge`, or name another (--gate, in a configuration gate: NAME)"
            )
        return scores


def in_turn(guides: Sequence[Tried], name: str, vary: bool) -> Iterator[Tried]:
    """The guides, or their names, that a row is tried with, one attempt after another; it does not end.

    Args:
        name: the row's id.
        vary: whether it begins with its own first guide, or all rows with the same.

    Example:
        >>> list(islice(in_turn(["plain", "suffix"], "1", vary=False), 3))
        ['plain', 'suffix', 'plain']
    """
    return islice(cycle(guides), first_guide(name, len(guides)) if vary else 0, None)


def first_guide(name: str, count: int) -> int:
    """Which of so many guides a row begins with, where they vary: fixed by its id, and alike on every machine."""
    return int(fixed_share(f"guide {name}") * count)


def tokens_alone() -> ProgressCallback:
    """For a model that generates: reports its tokens to this context's observer, from any thread, and not its rows.

    A row is done when its gate is content.
    """
    told = observer()
    return lambda _, tokens: told(0, tokens)


def of_data_set(
    rows: Sequence[Row],
    task: Task[OriginSettings],
    texts: Sequence[str | None],
    reason: Reason[Row],
) -> dict[str, Attempt]:
    """What the data set's own texts give, by id: of `origin` all; of `both` those that pass, the others stay open."""
    if task.settings.source == "own":
        return {}
    found = {}
    given = {row.id: without_reasoning(text) for row, text in zip(rows, texts, strict=True) if text}
    asked = [(row.prompt, given[row.id]) for row in rows if row.id in given]
    scores = dict(zip(given, score_rows(task.gate, list(given), asked), strict=True))
    for row in rows:
        text, score = given.get(row.id, ""), scores.get(row.id)
        why = _held(text) or reason(row, UNGUIDED, text, score)
        rejections = [why] if why and text else []
        if task.settings.source == "origin" or not why:
            found[row.id] = Attempt(text, "origin", None, 0, not why, score, why, rejections)
        else:
            found[row.id] = Attempt(rejections=rejections)
    return found


def _held(text: str) -> str:
    """The reason that holds at every gate: a rest of a block of reasoning is not trained on. Empty without one."""
    return "holds reasoning" if has_reasoning(text) else ""


def not_passed(rows: Iterable[Made], reason: str = NOT_A_MISTAKE) -> dict[str, Attempt]:
    """By id the rows that there is nothing to try for, since they did not pass their own gate."""
    return {row.id: Attempt(reason=reason) for row in rows if not row.passed}


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
