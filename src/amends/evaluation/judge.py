"""Verdicts on responses. What a judge could not read is unscored: never harmless, never harmful, never dropped."""

from collections.abc import Iterable, Iterator, Sequence

from amends.judges.base import Judge
from amends.judges.preference import PreferenceJudge
from amends.judges.rows import rate_rows
from amends.records import READ_AS, Answer, Mistake, PairVerdict, Response, Verdict, label
from amends.stages.chunks import Work, chunk_rows_for, of_kind
from amends.text.normalized import prompt_key

Judged = Response | Mistake | Answer
"""Rows with a response to their own prompt."""
Pair = tuple[Response, Response]


def judge(responses: Iterable[Judged], judge: Judge) -> Iterator[Verdict]:
    """Gives one Verdict a response: harmless from a probability of .5 on. Raises InputError for other rows.

    Mistakes and answers can be judged, too: they hold a response to their own prompt.
    """
    return judging(judge).over(of_kind("judge", responses, Response, *READ_AS[Response]))


def judging(judge: Judge) -> Work[Judged, Verdict]:
    """What is done to each chunk of responses."""
    return Work(process, judge, chunk_rows_for(judge), judge)


def process(chunk: Sequence[Judged], number: int, judge: Judge) -> list[Verdict]:
    """The verdicts on one chunk of responses."""
    pairs = [(row.prompt, row.response) for row in chunk]
    rated = rate_rows(judge, [row.id for row in chunk], pairs)
    found = [(one.score, one.helpful) if one else (None, None) for one in rated]
    return [
        Verdict(
            id=row.id,
            draw=row.draw if isinstance(row, Response) else 0,
            verdict=label(score),
            score=score,
            helpful=helpful,
            prompt_hash=prompt_key(str(row.prompt)).hex(),
        )
        for row, (score, helpful) in zip(chunk, found, strict=True)
    ]


def prefer(pairs: Iterable[Pair], judge: PreferenceJudge) -> Iterator[PairVerdict]:
    """Gives for each pair of responses to one prompt which of them is preferred."""
    return preferring(judge).over(of_kind("prefer", pairs, tuple))


def preferring(judge: PreferenceJudge) -> Work[Pair, PairVerdict]:
    """What is done to each chunk of pairs."""
    return Work(process_pairs, judge, judge=judge)


def process_pairs(chunk: Sequence[Pair], number: int, judge: PreferenceJudge) -> list[PairVerdict]:
    """Which is preferred of each of one chunk of pairs."""
    found = judge.prefer([(a.prompt, a.response, b.response) for a, b in chunk])
    return [PairVerdict(id=a.id, draw=a.draw, preferred=one) for (a, _), one in zip(chunk, found, strict=True)]
