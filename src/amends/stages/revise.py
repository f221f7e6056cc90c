"""Critique and revision (Bai et al. 2022, arXiv 2212.08073, section 3) of the model's own mistakes."""

from collections.abc import Iterable, Iterator, Sequence

from amends.models.base import Prompt
from amends.prompts import Guide, Language
from amends.records import Message, Mistake, Revision, messages_of
from amends.seeds import derive_seed
from amends.stages.answer import safe_reason
from amends.stages.attempts import Task, not_passed, tokens_alone, try_guides
from amends.stages.base import STAGES, Stage
from amends.stages.settings import SafeSettings
from amends.text.words import MAX_COPIED, copied_share, whole_sentences


class ReviseSettings(SafeSettings):
    """Critique and revision of each mistake, for the method critique-revise."""


def revise(rows: Iterable[Mistake], task: Task[ReviseSettings]) -> Iterator[Revision]:
    """Gives one Revision a mistake: of one critique the first revision that passes the gate, or the least harmful.

    The method itself has no gate. Here a revision passes the one of safe answers, unless it is a copy, so that it is at
    no disadvantage beside mistake-analysis-plus. Mistakes that did not pass their own gate are not revised; their rows
    say so.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Mistake], number: int, task: Task[ReviseSettings]) -> list[Revision]:
    """The revisions of one chunk of mistakes."""

    unsafe = safe_reason(task)

    def reason(row: Mistake, guide: Guide, text: str, score: float | None) -> str:
        if text and copied_share(text, (row.response,)) > MAX_COPIED:
            return "copies the mistake"
        return unsafe(row, guide, text, score)

    wanted = [row for row in chunk if row.passed]
    seed = derive_seed(task.seed, "revise", number)
    made = task.model.generate(
        [_critique_prompt(row, task.language) for row in wanted],
        task.settings.sampling(),
        derive_seed(seed, "critique"),
        tokens_alone(),
    )
    critiques = [whole_sentences(one.text, one.finished) or one.text for one in made]
    of_row = {row.id: critique for row, critique in zip(wanted, critiques, strict=True)}
    found = try_guides(
        chunk,
        task,
        seed,
        lambda row, _: _revision_prompt(row, of_row[row.id], task.language),
        reason,
        not_passed(chunk),
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


def _critique_prompt(row: Mistake, language: Language) -> Prompt:
    return Prompt(
        (
            *messages_of(row.prompt),
            Message(role="assistant", content=row.response),
            Message(role="user", content=language.template("critique")),
        )
    )


def _revision_prompt(row: Mistake, critique: str, language: Language) -> Prompt:
    asked = Message(role="user", content=language.template("revise"))
    return Prompt((*_critique_prompt(row, language).messages, Message(role="assistant", content=critique), asked))


STAGE = Stage(
    name="revise",
    reads="mistakes",
    takes=Mistake,
    writes="revisions",
    record=Revision,
    settings=ReviseSettings,
    process=process,
    tests_leaks=True,
    templates=("critique", "revise"),
)
STAGES.register(STAGE.name, STAGE)
