"""A judge that is asked about rows. Whatever goes wrong in somebody else's class is one error that names the row."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from amends.errors import AmendsError, JudgeError, in_a_line, memory_is_full
from amends.judges.base import Judge, Rated, refuse_no_probability
from amends.records import UserPrompt

Pairs = Sequence[tuple[UserPrompt, str]]
Given = TypeVar("Given")


def score_rows(judge: Judge, ids: Sequence[str], pairs: Pairs) -> list[float | None]:
    """A judge's scores of (prompt, response) pairs, by the ids of their rows.

    Raises JudgeError where the judge raises, or gives something else than a probability or None for each.
    """
    return _given(judge, judge.score, lambda score: score, ids, pairs)


def rate_rows(judge: Judge, ids: Sequence[str], pairs: Pairs) -> list[Rated | None]:
    """The same with ratings, which may say more than a score."""
    return _given(judge, judge.rate, lambda rated: rated.score if rated else None, ids, pairs)


def _given(
    judge: Judge,
    ask: Callable[[Pairs], Sequence[Given]],
    score_in: Callable[[Given], float | None],
    ids: Sequence[str],
    pairs: Pairs,
) -> list[Given]:
    def asked(some: Pairs) -> list[Given]:
        found = list(ask(some))
        refuse_no_probability([score_in(one) for one in found], len(some))
        return found

    try:
        return asked(pairs) if pairs else []
    except AmendsError:
        raise
    except Exception as error:  # whatever somebody else's class raises
        if memory_is_full(error):
            raise
        where, cause = _failing(asked, ids, pairs, error)
        said = f"{type(cause).__name__}: {in_a_line(cause)}"
        raise JudgeError(f"judge {judge.name!r} fails on {where} ({said})") from error


def _failing(
    asked: Callable[[Pairs], object], ids: Sequence[str], pairs: Pairs, error: Exception
) -> tuple[str, Exception]:
    """The first row that fails alone, and how; all of them, and the error, where none does."""
    for name, pair in zip(ids, pairs, strict=True):
        try:
            asked([pair])
        except AmendsError:
            raise
        except Exception as alone:  # as above
            return f"row {name!r}", alone
    return f"rows {ids[0]!r} to {ids[-1]!r}", error
