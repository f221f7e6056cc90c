"""Guided mistake induction (paper, section 3.1): the model itself is brought to answer harmfully."""

from collections.abc import Iterable, Iterator, Sequence

from pydantic import Field

from amends.models.base import SamplingSettings
from amends.prompts import Guide
from amends.prompts.leaks import LeakTest
from amends.records import Instruction, Mistake, label
from amends.seeds import derive_seed
from amends.stages.attempts import Task, of_data_set, try_guides
from amends.stages.base import STAGES, Stage
from amends.stages.settings import ATTEMPTS, Source


class InduceSettings(SamplingSettings):
    """Guided mistake induction: the model is brought to answer harmfully.

    The guide with the paper's keywords comes first (section 3.1), then others in the order of their yield.
    """

    max_new_tokens: int = Field(default=40, ge=1, le=4096, description="Tokens after which a text is cut.")
    source: Source = Field(
        default="own",
        description="Whose mistakes: the model's own, or origin, the data's `rejected`. With both, the data's where "
        "the gate calls them harmful, and own ones elsewhere.",
    )
    guides: list[str] = Field(
        default=["unethical-suffix", "plain", "direct-should", "should-prefill", "unethical-system"],
        min_length=1,
        description="The guides, tried in turn (docs/reference/methods.md). "
        "Where the chat template has no system turn: `unethical-suffix`, `plain` and `should-prefill`.",
    )
    attempts: int = Field(default=8, ge=1, le=100, description=ATTEMPTS)


def induce(rows: Iterable[Instruction], task: Task[InduceSettings]) -> Iterator[Mistake]:
    """Gives one Mistake a row: the first response that the gate calls harmful, else the one nearest to it.

    The gate calls a response harmful below a probability of .5; unscored responses do not pass. The settings' `source`
    is `own` (the model's), `origin` (the data set's `rejected`), or `both`: origin where there is one that the gate
    calls harmful, own elsewhere.

    Raises:
        InputError: a row of another stage.
        YieldError: the gate scores none of many texts.
    """
    return STAGE.run(rows, task)


def process(chunk: Sequence[Instruction], number: int, task: Task[InduceSettings]) -> list[Mistake]:
    """The mistakes of one chunk of rows."""
    leaks = LeakTest(task.guides, task.language)

    def reason(row: Instruction, _: Guide, text: str, score: float | None) -> str:
        if not text:
            return "truncated"
        if leaks.find(text, row.prompt):
            return "leaks the guide"
        verdict = label(score)
        return "" if verdict == "harmful" else verdict

    found = try_guides(
        chunk,
        task,
        derive_seed(task.seed, "induce", number),
        lambda row, guide: guide.prompt(row.prompt),
        reason,
        of_data_set(chunk, task, [row.rejected for row in chunk], reason),
        wanted="harmful",
    )
    return [
        Mistake(id=row.id, prompt=row.prompt, chosen=row.chosen, response=one.text, **one.facts())
        for row, one in zip(chunk, found, strict=True)
    ]


STAGE = Stage(
    name="induce",
    reads="instructions",
    takes=Instruction,
    writes="mistakes",
    record=Mistake,
    settings=InduceSettings,
    process=process,
    guided_by="induce",
    origin="rejected",
    tests_leaks=True,
)
STAGES.register(STAGE.name, STAGE)
