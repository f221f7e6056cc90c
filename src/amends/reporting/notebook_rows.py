"""Rows and comparisons as a notebook shows them: a line, a table whose texts are folded, a pandas frame, a file."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from amends.errors import InputError
from amends.evaluation.metrics.base import METRICS
from amends.evaluation.results import Comparison
from amends.records import Made, PromptRecord, Record, Sample, Verdict
from amends.reporting.wording import detectable_text, difference_text, finding, p_value_text
from amends.storage.files import write_atomically
from amends.text.display import for_terminal

if TYPE_CHECKING:
    import pandas

ROWS_SHOWN = 10
FACTS_SHOWN = ("category", "kind", "passed", "reason", "guide", "verdict", "score", "helpful", "finished")
"""Columns whose values are short and in our words; all others may hold harmful text, and are folded."""

RecordOf = TypeVar("RecordOf", bound=Record, covariant=True)


@dataclass(frozen=True)
class Past:
    """What rows came about by, for what is refused later.

    Attributes:
        gates: fingerprints of the judges that gated them.
        instructions: rows that a model which is trained on them has seen.
    """

    gates: frozenset[str] = frozenset()
    instructions: tuple[PromptRecord, ...] = ()

    def __or__(self, other: Past) -> Past:
        """Both."""
        return Past(self.gates | other.gates, tuple(dict.fromkeys((*self.instructions, *other.instructions))))


@dataclass(frozen=True, repr=False, eq=False)
class Rows(Sequence[RecordOf], Generic[RecordOf]):
    """Records in memory, in order.

    Attributes:
        records: the records, such as `amends.records.Mistake`.
        name: what they are called in messages, such as their file or the model that wrote them.
        past: what they came about by.

    Example:
        >>> from amends.records import Instruction
        >>> Rows((Instruction(id="1", prompt="Hello?"),), "mine")
        mine: 1 row of Instruction
    """

    records: tuple[RecordOf, ...]
    name: str = "rows"
    past: Past = field(default_factory=Past)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.records)

    def __iter__(self) -> Iterator[RecordOf]:
        """One after another."""
        return iter(self.records)

    @overload
    def __getitem__(self, place: int) -> RecordOf: ...
    @overload
    def __getitem__(self, place: slice) -> Rows[RecordOf]: ...
    def __getitem__(self, place: int | slice) -> RecordOf | Rows[RecordOf]:
        """One of them, or a part, which is such rows again."""
        if isinstance(place, slice):
            return type(self)(**{**vars(self), "records": self.records[place]})
        return self.records[place]

    @property
    def kind(self) -> str:
        """The name of the records' class."""
        return type(self.records[0]).__name__ if self.records else "none"

    def said(self) -> str:
        """How many there are, and what of them counts, in words."""
        return f"{len(self)} row{'' if len(self) == 1 else 's'} of {self.kind}"

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with a row for each record and a column for each field."""
        import pandas

        return pandas.DataFrame([row.model_dump(mode="json") for row in self.records])

    def save(self, path: str | Path) -> Path:
        """Writes one JSON object a line, as the command line reads them, and returns the path.

        Raises InputError for a name that does not end in .jsonl, StoreError where it cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".jsonl":
            raise InputError(f"{path}: would not be read as lines of JSON; end the file's name in .jsonl")
        write_atomically(path, self.lines())
        return path

    def lines(self) -> str:
        """The file's text."""
        return "".join(f"{row.model_dump_json()}\n" for row in self.records)

    def __repr__(self) -> str:
        """One line."""
        return for_terminal(f"{self.name}: {self.said()}")

    def _repr_html_(self) -> str:
        """A table of the first rows; texts, which may be harmful, are folded until the reader opens them."""
        facts = [name for name in FACTS_SHOWN if self.records and name in type(self.records[0]).model_fields]
        head = "".join(f"<th>{_escaped(name)}</th>" for name in ("id", *facts, "text"))
        body = "".join(_html_row(row, facts) for row in islice(self.records, ROWS_SHOWN))
        more = f"<p>… and {len(self) - ROWS_SHOWN:,} more</p>" if len(self) > ROWS_SHOWN else ""
        return f"<p>{_escaped(repr(self))}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


MadeOf = TypeVar("MadeOf", bound=Made, covariant=True)


class MadeRows(Rows[MadeOf], Generic[MadeOf]):
    """What a model made of rows; a row that did not pass its gate says why."""

    def passed(self) -> MadeRows[MadeOf]:
        """Those that passed their gate."""
        return type(self)(tuple(row for row in self.records if row.passed), self.name, self.past)

    def said(self) -> str:
        """The yield."""
        passed = sum(row.passed for row in self.records)
        share = f" ({passed / len(self):.0%})" if self.records else ""
        return f"{passed} of {len(self)} passed{share}, rows of {self.kind}"


@dataclass(frozen=True, repr=False, eq=False)
class Samples(Rows[Sample]):
    """What a method trains on; `trainer` is the method's."""

    trainer: str = "sft"

    def said(self) -> str:
        """How many of each kind."""
        kinds = Counter(row.kind for row in self.records)
        return f"{len(self)} samples ({', '.join(f'{count} {kind}' for kind, count in kinds.items())})"


@dataclass(frozen=True, repr=False, eq=False)
class Verdicts(Rows[Verdict]):
    """What a judge says of responses; `judge` is its fingerprint."""

    judge: str = ""

    def said(self) -> str:
        """How many of each verdict."""
        counts = Counter(row.verdict for row in self.records)
        told = ", ".join(f"{counts[label]} {label}" for label in ("harmless", "harmful", "unscored"))
        return f"{len(self)} verdicts ({told})"


@dataclass(frozen=True, repr=False)
class Compared:
    """Two systems side by side on the prompts that both have.

    Attributes:
        rows: a comparison for each metric; `difference` and `ci` are those of a - b. The first one is the primary
            measure, the mean probability of harmless, or for judges that give none the harmless rate. P-values of the
            others are corrected for their number (`p_holm`).
        unpaired: prompts that only one of the two has, and that are not compared.
    """

    rows: tuple[Comparison, ...]
    unpaired: int = 0

    @property
    def difference(self) -> float:
        """Of the primary measure, a - b, in [-1, 1]."""
        return self.rows[0].difference

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % around the difference; None where there are too few prompts for one."""
        return self.rows[0].ci

    @property
    def p(self) -> float | None:
        """Of the primary measure's test."""
        return self.rows[0].p_value

    @property
    def n(self) -> int:
        """Prompts that both systems have a scored response to."""
        return self.rows[0].n

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with a row for each metric."""
        import pandas

        return pandas.DataFrame([row.model_dump(mode="json") for row in self.rows])

    def __str__(self) -> str:
        """A line for each metric: the difference, what can be said of it, and no more than that."""
        lines = [f"{self.rows[0].a} against {self.rows[0].b}, {self.n} prompts"]
        lines += [f"{METRICS[row.metric].name.replace('_', ' ')}: {_said(row)}" for row in self.rows]
        if self.unpaired:
            lines.append(f"{self.unpaired} prompts have only one of the two, and are not compared")
        return for_terminal("\n".join(lines))

    def __repr__(self) -> str:
        """The same, so that a notebook's last line shows it."""
        return str(self)

    def _repr_html_(self) -> str:
        """The same lines."""
        return f"<pre>{_escaped(str(self))}</pre>"


def _said(row: Comparison) -> str:
    p_value = "" if row.p_value is None else f", p {p_value_text(row.p_value)}"
    corrected = "" if row.p_holm is None else f", corrected {p_value_text(row.p_holm)}"
    power = "" if row.detectable is None else f" (found from {detectable_text(row)})"
    return f"{difference_text(row)}{p_value}{corrected}, n {row.n}: {finding(row)}{power}"


def _html_row(row: Record, facts: Iterable[str]) -> str:
    values = row.model_dump(mode="json") | ({"prompt": str(row.prompt)} if isinstance(row, PromptRecord) else {})
    cells = "".join(f"<td>{_escaped(values[name])}</td>" for name in facts)
    texts = {
        name: value for name, value in values.items() if name not in (*FACTS_SHOWN, "id") and value not in (None, [])
    }
    parts = "".join(f"<dt>{_escaped(name)}</dt><dd><pre>{_escaped(text)}</pre></dd>" for name, text in texts.items())
    folded = f"<details><summary>show</summary><dl>{parts}</dl></details>" if parts else ""
    return f"<tr><td>{_escaped(row.id)}</td>{cells}<td>{folded}</td></tr>"


def _escaped(value: object) -> str:
    """A value as HTML that shows it and does nothing else."""
    return html.escape(for_terminal("" if value is None else str(value)))
