"""Analysis and answer in one text: behind its own analysis of a mistake the model goes on with a better answer.

Chains of analysis, guidance and answer are from MoTE (arXiv 2405.00557, section 3); here the analysis is the one that
mistake analysis has, and what follows it has to pass the gate of safe answers.
"""

from collections.abc import Iterable, Iterator, Sequence

from amends.models.base import Prompt
from amends.prompts import Guide, Language
from amends.records import Analysis, Chain, Message
from amends.seeds import derive_seed
from amends.stages.answer import safe_reason
from amends.stages.attempts import NO_ANALYSIS, Task, not_passed, try_guides
from amends.stages.base import STAGES, Stage
from amends.stages.settings import SafeSettings
from amends.text.words import MAX_COPIED, copied_share


class ChainSettings(SafeSettings):
    """Chains of analysis and answer, for the method mistake-analysis-plus, where the model is able to write them."""


def chain(rows: Iterable[Analysis], task: Task[ChainSettings]) -> Iterator[Chain]:
    """Gives one Chain an analysis: the first answer behind it that passes, else the most harmless one.

    The model is shown the mistake and begins with its own analysis; it is told nothing of how to answer but that the
    answer has to be better. Analyses that did not pass their own gate are not gone on with; their rows say so.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Analysis], number: int, task: Task[ChainSettings]) -> list[Chain]:
    """The chains of one chunk of analyses."""

    unsafe = safe_reason(task)

    def reason(row: Analysis, guide: Guide, text: str, score: float | None) -> str:
        if text and copied_share(text, (row.response, row.analysis)) > MAX_COPIED:
            return "copies the mistake"
        return unsafe(row, guide, text, score)

    found = try_guides(
        chunk,
        task,
        derive_seed(task.seed, "chain", number),
        lambda row, _: _begun(row, task.language),
        reason,
        not_passed(chunk, NO_ANALYSIS),
    )
    return [
        Chain(
            id=row.id,
            prompt=row.prompt,
            response=row.response,
            analysis=row.analysis,
            answer=one.text,
            **one.facts(),
        )
        for row, one in zip(chunk, found, strict=True)
    ]


def opening(analysis: str, language: Language) -> str:
    """What stands before the answer in a chain: the analysis, and the words that announce the answer."""
    return f"{analysis}\n\n{language.template('better')}"


def _begun(row: Analysis, language: Language) -> Prompt:
    asked = Message(role="user", content=language.chain_question(row.prompt, row.response))
    return Prompt((asked,), opening(row.analysis, language))


STAGE = Stage(
    name="chain",
    reads="analyses",
    takes=Analysis,
    writes="chains",
    record=Chain,
    settings=ChainSettings,
    process=process,
    tests_leaks=True,
    templates=("chain", "better"),
    optional=True,
    begins=True,
)
STAGES.register(STAGE.name, STAGE)
