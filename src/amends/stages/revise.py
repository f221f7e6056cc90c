"""Critique and revision (Bai et al. 2022, arXiv 2212.08073, section 3) of the model's own mistakes."""

from collections.abc import Iterable

from amends.artifacts import Artifact
from amends.config import ReviseSettings
from amends.prompts import Guide, template
from amends.protocols import ProgressCallback, Prompt, no_progress
from amends.records import Message, Mistake, Revision
from amends.seeds import derive_seed
from amends.stages.answer import no_safe_answer
from amends.stages.attempts import Task, no_mistakes, try_guides
from amends.stages.streaming import chunk_rows_for, stream
from amends.text import MAX_COPIED, copied_share, whole_sentences

PLAIN = Guide(name="revise")  # the request is the template's; the loop over attempts wants a guide


def revise(
    mistakes: Iterable[Mistake],
    artifact: Artifact,
    task: Task[ReviseSettings],
    progress: ProgressCallback = no_progress,
) -> None:
    """Writes one Revision a mistake: of one critique, the first revision that passes the gate, else the least harmful one.

    The method itself has no gate. Here a revision passes the one of safe answers, unless it is a copy, so that it is
    at no disadvantage beside mistake-analysis-plus. Mistakes that did not pass their own gate are not revised; their rows
    say so.
    """

    def reason(row: Mistake, _: Guide, text: str, score: float | None) -> str:
        if text and copied_share(text, (row.response,)) > MAX_COPIED:
            return "copies the mistake"
        return no_safe_answer(text, score, task.settings.at_least)

    def process(chunk: list[Mistake], number: int, progress: ProgressCallback) -> list[Revision]:
        wanted = [row for row in chunk if row.passed]
        seed = derive_seed(task.seed, "revise", number)
        made = task.model.generate(
            [_critique_prompt(row) for row in wanted],
            task.settings.sampling(),
            derive_seed(seed, "critique"),
            lambda _, tokens: progress(0, tokens),
        )
        critiques = [whole_sentences(one.text, one.finished) or one.text for one in made]
        of_row = {row.id: critique for row, critique in zip(wanted, critiques, strict=True)}
        found = try_guides(
            chunk,
            task,
            seed,
            lambda row, _: _revision_prompt(row, of_row[row.id]),
            reason,
            no_mistakes(chunk),
            progress,
        )
        return [
            Revision(
                id=row.id,
                prompt=row.prompt,
                response=row.response,
                critique=of_row.get(row.id, ""),
                revision=one.text,
                **one.facts(),
            )
            for row, one in zip(chunk, found, strict=True)
        ]

    stream(mistakes, artifact, process, progress, chunk_rows_for(task.model))


def _critique_prompt(row: Mistake) -> Prompt:
    return Prompt(
        (
            Message(role="user", content=row.prompt),
            Message(role="assistant", content=row.response),
            Message(role="user", content=template("critique")),
        )
    )


def _revision_prompt(row: Mistake, critique: str) -> Prompt:
    asked = Message(role="user", content=template("revise"))
    return Prompt((*_critique_prompt(row).messages, Message(role="assistant", content=critique), asked))
