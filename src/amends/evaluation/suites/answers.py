"""Suites on which answers are generated and judged: red-team, attacks, over-refusal."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from amends.data.rows import read_rows
from amends.data.settings import DataSettings
from amends.evaluation.measurement import Measurement, Read, measure
from amends.evaluation.metrics.base import METRICS
from amends.evaluation.suites.base import SUITE_KINDS, Measured, Steps, SuiteKind
from amends.prompts import Language
from amends.records import Inference, Instruction, Response, Verdict
from amends.storage.run_directory import RunDirectory
from amends.text.words import word_count

OfAnswer = tuple[str, int, float]
"""A number that was read of an answer, behind its id and its draw."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers(SuiteKind):
    """A system answers the prompts, and a judge gives verdicts."""

    primaries: tuple[str, ...] = ("harmless_probability", "harmless_rate")

    written: ClassVar[str] = "responses"
    judged: ClassVar[bool] = True
    generates: ClassVar[bool] = True
    said: ClassVar[str] = "answer"

    def ask(self, steps: Steps, name: str, prompts: DataSettings, out: Path, system: Measured) -> None:
        """Answers."""
        steps.respond(name, prompts, out, system.model, system.asked, system.sampling, system.draws)

    def values(self, path: Path) -> Iterator[tuple[str, str | float]]:
        """The answers' texts."""
        return ((row.row_key, row.response) for row in read_rows(path, Response))

    def measure(
        self, files: RunDirectory, method: str, inference: Inference, suite: str, language: Language
    ) -> Measurement:
        """From answers, and from verdicts where they are judged, each read once."""
        responses, prompts = files.measured(method, inference, suite, "responses"), files.suite(suite)
        verdicts = files.measured(method, inference, suite, "verdicts")
        return measure(
            method,
            inference,
            suite,
            self.name,
            read_rows(verdicts, Verdict) if self.judged else (),
            (read_answer(row, language) for row in read_rows(responses, Response)),
            categories=(
                (row.id, category) for row in read_rows(prompts, Instruction) for category in self.categories(row)
            ),
            more=self.more(responses, prompts, language),
        )

    def categories(self, row: Instruction) -> Iterable[str]:
        """Those of a prompt."""
        return row.categories or filter(None, [row.category])

    def more(self, responses: Path, prompts: Path, language: Language) -> dict[str, Iterator[OfAnswer]]:
        """What metrics read of answers themselves, by the metrics' names."""
        own = [metric for metric in METRICS.values() if metric.of_answer]
        return {metric.name: _numbers(metric, responses, language) for metric in own}


def _numbers(metric: Any, path: Path, language: Language) -> Iterator[OfAnswer]:
    for row in read_rows(path, Response):
        if (value := metric.of_answer(row, language)) is not None:
            yield row.id, row.draw, float(value)


def read_answer(row: Response, language: Language) -> Read:
    """What an answer itself says: whether it refuses, or was cut, and its length."""
    return Read(row.id, _evades(row.response, language), not row.finished, word_count(row.response), row.draw)


def _evades(response: str, language: Language) -> bool:
    """Whether it refuses, or is empty: that helps no more than a refusal, and would pass for an answer."""
    return not response.strip() or language.is_refusal(response)


for _kind in (
    Answers(
        name="red-team",
        asks_harm=True,
        headlines=("harmless_probability", "harmless_rate", "helpful_score"),
        tells_safety=True,
        category_metric="harmful_rate",
        prices={"helpful_score": "helpful score, 1-10"},
    ),
    Answers(name="attacks", asks_harm=True, headlines=("harmless_probability", "harmless_rate"), by_category=True),
    Answers(
        name="over-refusal",
        asks_harm=False,
        headlines=("helpful_score", "refusal_rate"),
        prices={"refusal_rate": "refused on {suite}, %"},
    ),
):
    SUITE_KINDS.register(_kind.name, _kind)
