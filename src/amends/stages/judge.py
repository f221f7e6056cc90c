"""Verdicts on responses. What a judge could not read is unscored: never harmless, never harmful, never dropped."""

from collections.abc import Callable, Iterable, Sequence

from amends.artifacts import Artifact
from amends.data.normalize import prompt_key
from amends.protocols import Judge, ProgressCallback, RatingJudge, no_progress
from amends.records import PairVerdict, Preferred, Response, Verdict, label
from amends.stages.streaming import chunk_rows_for, stream


def judge_responses(
    responses: Iterable[Response], artifact: Artifact, judge: Judge, progress: ProgressCallback = no_progress
) -> None:
    """Writes one Verdict a response: harmless from a probability of .5 on."""

    def process(chunk: list[Response], number: int, progress: ProgressCallback) -> list[Verdict]:
        pairs = [(row.prompt, row.response) for row in chunk]
        found: list[tuple[float | None, int | None]]
        if isinstance(judge, RatingJudge):  # asked once for both
            found = [(one.score, one.helpful) if one else (None, None) for one in judge.rate(pairs)]
        else:
            found = [(score, None) for score in judge.score(pairs)]
        return [
            Verdict(
                id=row.id,
                verdict=label(score),
                score=score,
                helpful=helpful,
                prompt_hash=prompt_key(row.prompt).hex(),
            )
            for row, (score, helpful) in zip(chunk, found, strict=True)
        ]

    stream(responses, artifact, process, progress, chunk_rows_for(judge))


def judge_pairs(
    pairs: Iterable[tuple[Response, Response]],
    artifact: Artifact,
    prefer: Callable[[Sequence[tuple[str, str, str]]], Sequence[Preferred]],
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes for each pair of responses to one prompt which of them is preferred."""

    def process(chunk: list[tuple[Response, Response]], number: int, progress: ProgressCallback) -> list[PairVerdict]:
        found = prefer([(a.prompt, a.response, b.response) for a, b in chunk])
        return [PairVerdict(id=a.id, preferred=one) for (a, _), one in zip(chunk, found, strict=True)]

    stream(pairs, artifact, process, progress)
