"""Unguided fine-tuning samples (paper, section 3.3): analyses with every hint removed, pooled with SFT pairs."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from amends.errors import SampleError
from amends.prompts import Language, english
from amends.prompts.leaks import LeakTest
from amends.records import PromptRecord, Sample
from amends.settings.gathered import Gathered
from amends.stages.base import row_of
from amends.stages.chunks import of_kind
from amends.text.reasoning import has_reasoning
from amends.training.sample_kinds.base import SAMPLE_KINDS, Sets, Shares

SHARES = """Copies of each kind of sample in the pool: 1 takes each row once, .5 half of them, 2 each twice, 0 none.

Chain of Hindsight heeds `safe` and `benign`, too.
"""


class SharesSettings(Gathered):
    """Copies of each kind of sample in the pool."""

    @classmethod
    def brought(cls) -> dict[str, Any]:
        """A key for each kind of samples."""
        return {
            name: (float, Field(default=1.0, ge=0, le=10, description=kind.title))
            for name, kind in SAMPLE_KINDS.items()
        }


if TYPE_CHECKING:

    class ComposeSettings(SharesSettings):
        """Copies of each kind of sample in the pool: 1 takes each row once, .5 half of them, 2 each twice."""
else:
    ComposeSettings = create_model(
        "ComposeSettings", __base__=SharesSettings, __module__=__name__, __doc__=SHARES, **SharesSettings.brought()
    )


def compose(kinds: Sequence[str], sets: Sets, shares: Shares, language: Language | None = None) -> Iterator[Sample]:
    """Gives the samples of the kinds a method trains on.

    Args:
        sets: rows by the names of what kinds need; a set that is left out counts as empty. Some are read several times.
        shares: copies of each kind's rows: 1 takes every row once, .5 half of them (fixed by id), 2 every row twice.
        language: of the neutral question and the control phrases, and whose guides are looked for; English by default.

    Raises:
        InputError: a row of another set.
        SampleError: a guide's words stand in a sample's prompt (invariant 1), what is left of a block of reasoning in
            its answer (invariant 3), or no sample came out.
    """
    language = language or english()
    sets = {name: _Checked(rows, row_of(name)) for name, rows in sets.items()}
    leaks, some = LeakTest(language=language), False
    for instruction, sample in (pair for kind in kinds for pair in SAMPLE_KINDS[kind].make(sets, shares, language)):
        if found := leaks.find("\n".join(message.content for message in sample.prompt), instruction):
            raise SampleError(
                f"sample {sample.id}: {found}, stand in its prompt; guided text must not be trained on (drop this row)"
            )
        if any(has_reasoning(message.content) for message in (*sample.completion, *getattr(sample, "rejected", ()))):
            raise SampleError(
                f"sample {sample.id}: marks of a block of reasoning stand in its answer, which must not be trained on; "
                "take them out of this row, or drop it"
            )
        some = True
        yield sample
    if not some:
        raise SampleError(
            "no samples; the instructions have no `chosen`, and nothing that the model made passed its gate (see the "
            "yields)"
        )


@dataclass(frozen=True)
class _Checked:
    """Rows that can be read again and again, each checked for its kind."""

    rows: Iterable[Any]
    kind: type[PromptRecord]

    def __iter__(self) -> Iterator[Any]:
        return of_kind("compose", self.rows, self.kind)


def first_samples(samples: Iterable[Sample], count: int) -> list[Sample]:
    """The first `count` samples of each kind, kinds in turn, for a preview."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        group = groups.setdefault(sample.kind, [])
        if len(group) < count:
            group.append(sample)
    return [group[number] for number in range(count) for group in groups.values() if number < len(group)]
