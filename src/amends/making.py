"""The stages in which a model makes training data, as a table: what each reads and writes, and whose guides it uses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from amends.methods import NEEDS, kinds_of
from amends.prompts import Guide, GuideStage, guides
from amends.records import Analysis, Answer, Made, Mistake, Revision
from amends.stages.analyze import analyze
from amends.stages.answer import answer
from amends.stages.induce import induce
from amends.stages.revise import PLAIN, revise


@dataclass(frozen=True)
class Making:
    """One such stage.

    Attributes:
        work: takes rows, artifact, task and progress.
        reads, writes: sets by their names in methods.NEEDS; `record` is a row of what it writes.
        guided_by: the stage whose guides the settings name; None where the stage's own template is the request.
        origin: the data set's column that `source: origin` takes in the model's place.
        templates: those that its prompts are made of.
        tests_leaks: its gate looks for the words of all guides there are.
    """

    work: Callable[..., None]
    reads: str
    writes: str
    record: type[Made]
    guided_by: GuideStage | None = None
    origin: str | None = None
    templates: tuple[str, ...] = ()
    tests_leaks: bool = False

    def guides(self, settings: Any) -> list[Guide]:
        """What is put around the prompts, in turn."""
        return guides(self.guided_by, settings.guides) if self.guided_by else [PLAIN]


MAKING = {
    "induce": Making(induce, "instructions", "mistakes", Mistake, "induce", "rejected", tests_leaks=True),
    "analyze": Making(analyze, "mistakes", "analyses", Analysis, "analyze", templates=("analyze",)),
    "revise": Making(revise, "mistakes", "revisions", Revision, templates=("critique", "revise")),
    "answer": Making(answer, "instructions", "answers", Answer, "respond", "chosen"),
}
"""By the name of the command and of its section in a configuration, in an order in which they can run."""


def stages_for(methods: Iterable[str], shares: Mapping[str, float]) -> list[str]:
    """The stages that methods need, in order, with those whose output these read.

    `shares`: of the kinds of samples; what is made for those with 0 alone is not needed.
    """
    needed = {name for kind in kinds_of(methods, shares) for name in NEEDS[kind]}
    needed |= {making.reads for making in MAKING.values() if making.writes in needed}
    return [stage for stage, making in MAKING.items() if making.writes in needed]


MADE_BY = {making.writes: name for name, making in MAKING.items()}
