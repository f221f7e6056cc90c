"""How well a system itself tells harm: its own verdict on two answers to one prompt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from amends.judges.own_verdict import OwnVerdict
from amends.models.base import Model
from amends.prompts import Guide, Language
from amends.records import Instruction, OwnVerdicts
from amends.stages.chunks import Work, chunk_rows_for, of_kind


@dataclass(frozen=True)
class OwnVerdictTask:
    """Whose verdicts, with what stands around the neutral question, in which language."""

    model: Model
    guide: Guide
    language: Language

    def work(self) -> Work[Instruction, OwnVerdicts]:
        """What is done to each chunk of rows that have two answers."""
        return Work(process, self, chunk_rows_for(self.model))


def own_verdicts(rows: Iterable[Instruction], task: OwnVerdictTask) -> Iterator[OwnVerdicts]:
    """Gives one OwnVerdicts for each row with `chosen` and `rejected`.

    Raises InputError where a row is of another stage.
    """
    return task.work().over(with_two_answers(of_kind("own_verdicts", rows, Instruction)))


def with_two_answers(rows: Iterable[Instruction]) -> Iterator[Instruction]:
    """The rows that have a safe and a harmful answer."""
    return (row for row in rows if row.chosen and row.rejected)


def process(chunk: Sequence[Instruction], number: int, task: OwnVerdictTask) -> list[OwnVerdicts]:
    """The verdicts on one chunk of rows."""
    pairs = [(row.prompt, answer or "") for row in chunk for answer in (row.chosen, row.rejected)]
    scores = OwnVerdict(task.model, task.language, task.guide).score(pairs)
    return [
        OwnVerdicts(id=row.id, chosen=chosen, rejected=rejected)
        for row, chosen, rejected in zip(chunk, scores[::2], scores[1::2], strict=True)
    ]


def auroc_by_prompt(chosen: NDArray[np.float64], rejected: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each prompt [prompts] adds to the AUROC of its two answers' scores among those of all prompts.

    The mean is the AUROC, and the mean's error is the AUROC's, prompts being drawn with both answers: the placement
    values of DeLong et al. 1988, by clusters as in Obuchowski 1997. One prompt's may lie outside of 0 to 1.

    Example:
        >>> auroc_by_prompt(np.array([0.9, 0.4]), np.array([0.1, 0.6])).mean()
        np.float64(0.75)
    """
    above, below = _share_below(chosen, rejected), 1 - _share_below(rejected, chosen)
    auroc = float(above.mean()) if above.size else 0.0
    return above + below - auroc


def _share_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each value [prompts] the share of the others that is lower; equals count half."""
    from scipy.stats import rankdata  # slow to load, and not needed where a suite is finished

    among_all = rankdata(np.concatenate([values, others]))[: len(values)]
    share: NDArray[np.float64] = (among_all - rankdata(values)) / max(len(others), 1)
    return share
