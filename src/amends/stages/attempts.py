"""Trying guides in turn until a gate is content: what the stages that make training data have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from amends.config import Source
from amends.prompts import Guide
from amends.protocols import Generator, ProgressCallback, Prompt, Sampling, no_progress
from amends.records import Instruction, PromptRecord
from amends.seeds import derive_seed
from amends.stages.text import whole_sentences

Row = TypeVar("Row", bound=PromptRecord)
NOT_A_MISTAKE = "no mistake"  # the reason of rows that were not tried, since their mistake did not pass its gate


@dataclass
class Attempt:
    """What came of one row: the accepted text, else the best of the rejected ones. `score`: probability of harmless."""

    text: str = ""
    source: Literal["own", "origin"] = "own"
    guide: str | None = None
    tried: int = 0
    passed: bool = False
    score: float | None = None
    reason: str = ""
    rejections: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """What a record says of how its text came about."""
        return {
            "source": self.source,
            "guide": self.guide,
            "attempts": self.tried,
            "passed": self.passed,
            "score": self.score,
            "reason": self.reason,
            "rejections": self.rejections,
        }


@dataclass(frozen=True)
class Ruling:
    """What a gate says of one text: `reason` is empty when it passes, `score` its probability of harmless, if it scores."""

    reason: str
    score: float | None = None


TOO_LONG = Ruling("too long")  # the prompt, for the model's context


class TrySettings(Protocol):
    """What a stage's settings say of its attempts."""

    @property
    def attempts(self) -> int:
        """Texts tried for each row before it is given up."""

    def sampling(self) -> Sampling:
        """How tokens are drawn."""


Gate = Callable[[Sequence[tuple[Row, Guide, str]]], list[Ruling]]


def try_guides(
    rows: Sequence[Row],
    settled: Mapping[str, Attempt],
    guides: Sequence[Guide],
    settings: TrySettings,
    prompt: Callable[[Row, Guide], Prompt],
    gate: Gate[Row],
    generator: Generator,
    seed: int,
    progress: ProgressCallback = no_progress,
    wanted: Literal["harmful", "harmless"] = "harmless",
) -> list[Attempt]:
    """What came of each row: of those that are not settled by id, after rounds over what has not passed.

    Round k uses guide k, in turn. Texts that the token limit ended are cut back to whole sentences. Among rejected texts
    the one whose score is nearest to `wanted` is kept where the gate scores, the last one elsewhere.
    """
    trying = [row for row in rows if row.id not in settled]
    results = [Attempt() for _ in trying]
    for round_number in range(settings.attempts):
        pending = [number for number, result in enumerate(results) if not result.passed]
        if not pending:
            break
        guide = guides[round_number % len(guides)]
        prompts = [prompt(trying[number], guide) for number in pending]
        round_seed = derive_seed(seed, "round", round_number)
        generations = generator.generate(
            prompts, settings.sampling(), round_seed, lambda _, tokens: progress(0, tokens)
        )
        texts = [whole_sentences(guide.text(made.text), made.finished) for made in generations]
        rulings = gate([(trying[number], guide, text) for number, text in zip(pending, texts, strict=True)])
        rulings = [TOO_LONG if made.had_no_room else one for made, one in zip(generations, rulings, strict=True)]
        for number, text, ruling in zip(pending, texts, rulings, strict=True):
            _record(results[number], guide, text, ruling, wanted)
        progress(sum(not ruling.reason for ruling in rulings), 0)
    own = dict(zip((row.id for row in trying), results, strict=True))
    return [settled.get(row.id) or own[row.id] for row in rows]


def of_data_set(
    rows: Sequence[Instruction],
    source: Source,
    texts: Sequence[str | None],
    gate: Callable[[Sequence[tuple[str, str]]], list[Ruling]],
) -> dict[str, Attempt]:
    """The rows, by id, that the data set's own texts settle: none, all, or (of `both`) those whose text passes."""
    if source == "own":
        return {}
    rulings = gate([(row.prompt, text or "") for row, text in zip(rows, texts, strict=True)])
    found = {}
    for row, text, ruling in zip(rows, texts, rulings, strict=True):
        if source == "origin" or not ruling.reason:
            rejections = [ruling.reason] if ruling.reason and text else []
            found[row.id] = Attempt(
                text=text or "",
                source="origin",
                passed=not ruling.reason,
                score=ruling.score,
                reason=ruling.reason,
                rejections=rejections,
            )
    return found


def _record(result: Attempt, guide: Guide, text: str, ruling: Ruling, wanted: str) -> None:
    better = result.guide is None or _distance(ruling.score, wanted) <= _distance(result.score, wanted)
    result.tried += 1
    result.passed, result.reason = not ruling.reason, ruling.reason
    if ruling.reason:
        result.rejections.append(ruling.reason)
    if result.passed or better:
        result.text, result.guide, result.score = text, guide.name, ruling.score


def _distance(score: float | None, wanted: str) -> float:
    """From what is wanted; unscored texts come after all scored ones."""
    if score is None:
        return 2.0
    return score if wanted == "harmful" else 1 - score
