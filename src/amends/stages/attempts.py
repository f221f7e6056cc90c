"""Trying guides in turn until a gate is content: what the stages that make training data have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from amends.config import Source
from amends.prompts import Guide
from amends.protocols import Generation, Generator, ProgressCallback, Prompt, Sampling, no_progress
from amends.records import Instruction, Made
from amends.seeds import derive_seed
from amends.stages.text import whole_sentences

Row = TypeVar("Row")
NOT_A_MISTAKE = "no mistake"  # the reason of rows that were not tried, since their mistake did not pass its gate


@dataclass
class Attempt:
    """The best text so far for one row: the accepted one, or the last. `rejections` holds the gate's reasons in turn."""

    text: str = ""
    guide: Guide | None = None
    score: float | None = None
    passed: bool = False
    tried: int = 0
    rejections: list[str] = field(default_factory=list)

    @property
    def harmless(self) -> float | None:
        """The probability of harmless, where the gate wants harmless texts."""
        return None if self.score is None else round(1 - self.score, 6)

    def facts(self) -> dict[str, Any]:
        """What a record says of how its text came about."""
        return {
            "guide": self.guide.name if self.guide else None,
            "attempts": self.tried,
            "passed": self.passed,
            "reason": "" if self.passed else self.rejections[-1],
            "rejections": self.rejections,
        }


@dataclass(frozen=True)
class Ruling:
    """What a gate says of one text: `reason` is empty when it passes.

    `score` is lower the nearer the text is to what is wanted: of harmful texts the probability of harmless.
    """

    reason: str
    score: float | None = None

    @classmethod
    def of_harmless(cls, reason: str, score: float | None) -> "Ruling":
        """Where harmless texts are wanted: `score` is the probability of harmless."""
        return cls(reason, None if score is None else 1 - score)


Gate = Callable[[Sequence[tuple[Row, Guide, str, Generation]]], list[Ruling]]


def try_guides(
    rows: Sequence[Row],
    guides: Sequence[Guide],
    attempts: int,
    prompt: Callable[[Row, Guide], Prompt],
    gate: Gate[Row],
    generator: Generator,
    sampling: Sampling,
    seed: int,
    progress: ProgressCallback = no_progress,
) -> list[Attempt]:
    """Up to `attempts` rounds over the rows that have not passed; round k uses guide k, in turn.

    Texts that the token limit ended are cut back to whole sentences. Among rejected texts the one with the lowest score
    is kept where the gate scores, the last one elsewhere.
    """
    results = [Attempt() for _ in rows]
    for round_number in range(attempts):
        pending = [number for number, result in enumerate(results) if not result.passed]
        if not pending:
            break
        guide = guides[round_number % len(guides)]
        prompts = [prompt(rows[number], guide) for number in pending]
        generations = generator.generate(
            prompts, sampling, derive_seed(seed, "round", round_number), lambda _, tokens: progress(0, tokens)
        )
        texts = [whole_sentences(guide.text(made.text), made.finished) for made in generations]
        rulings = gate([(rows[n], guide, t, g) for n, t, g in zip(pending, texts, generations, strict=True)])
        for number, text, ruling in zip(pending, texts, rulings, strict=True):
            _record(results[number], guide, text, ruling)
        progress(sum(not ruling.reason for ruling in rulings), 0)
    return results


def unserved(rows: Sequence[Instruction], source: Source, origin: Mapping[str, Made]) -> list[Instruction]:
    """The rows that the model itself works on: all, none, or those whose text in the data set did not pass."""
    return [row for row in rows if source == "own" or (source == "both" and not origin[row.id].passed)]


def _record(result: Attempt, guide: Guide, text: str, ruling: Ruling) -> None:
    result.tried += 1
    result.passed = not ruling.reason
    if ruling.reason:
        result.rejections.append(ruling.reason)
    if result.passed or result.guide is None or _rank(ruling.score) <= _rank(result.score):
        result.text, result.guide, result.score = text, guide, ruling.score


def _rank(score: float | None) -> float:
    """Unscored texts come after all scored ones."""
    return 2.0 if score is None else score
