"""What a step reads: rows of a set, how many they are, hashes of their files; and what it puts around prompts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from amends.config import DataSettings, RespondSettings
from amends.data.rows import read_rows
from amends.data.sources import load_instructions, source_files
from amends.prompts import Guide, guide, template
from amends.protocols import Sampling
from amends.records import Analysis, Instruction, Mistake, Revision
from amends.store import file_digest


def rows_of(settings: DataSettings) -> Iterator[Instruction]:
    """The rows of a set, streamed."""
    return load_instructions(
        settings.source, settings.columns, settings.split, settings.limit, settings.distinct_prompts
    )


def sampling(settings: Any) -> Sampling:
    """What a stage's settings say of sampling."""
    return Sampling(settings.max_new_tokens, settings.temperature, settings.top_p)


def answering_guide(settings: RespondSettings, guided: bool, prefill: str | None = None) -> Guide:
    """What stands around the prompts of a system: the reminder of guided inference, and the method's own opening."""
    asked = guide("respond", settings.guide) if guided else Guide(name="none")
    return asked.model_copy(update={"prefill": template(prefill), "keep": False}) if prefill else asked


def made_rows(name: str, settings: DataSettings) -> Iterator[Any]:
    """The rows of one of the sets that samples are made of, by its name in methods.NEEDS."""
    kinds = {"mistakes": Mistake, "analyses": Analysis, "revisions": Revision}
    kind = kinds.get(name)
    return first(read_rows(Path(settings.source), kind), settings.limit) if kind else rows_of(settings)


def first(rows: Iterator[Any], limit: int | None) -> Iterator[Any]:
    """The first rows, or all of them."""
    return rows if limit is None else islice(rows, limit)


def count_rows(settings: DataSettings) -> int | None:
    """Rows of a local set, all of them read, so that a bad one is refused before a model loads; no hub set is read."""
    return count(rows_of(settings)) if source_files(settings.source) else settings.limit


def count(rows: Iterable[Any]) -> int:
    """How many rows an iterator gives."""
    return sum(1 for _ in rows)


def digests(rows: DataSettings) -> dict[str, str]:
    """Hashes of the local files of a set, by name."""
    return {path.name: file_digest(path) for path in source_files(rows.source) if path.is_file()}
