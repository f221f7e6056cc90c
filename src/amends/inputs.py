"""What a step reads: rows of a set, how many they are, what they are made from; and what it puts around prompts."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from amends.config import DataSettings, RespondSettings
from amends.data.rows import read_rows
from amends.data.sources import BUNDLED_PREFIX, load_instructions, source_files
from amends.errors import InputError
from amends.making import MAKING
from amends.prompts import UNGUIDED, Guide, guide, template
from amends.records import Record, Response
from amends.store import file_digest

RowType = TypeVar("RowType", bound=Record)


def answering_guide(settings: RespondSettings, guided: bool, prefill: str | None = None) -> Guide:
    """What stands around the prompts of a system: the reminder of guided inference, and the method's own opening."""
    asked = guide("respond", settings.guide) if guided else UNGUIDED
    return asked.model_copy(update={"prefill": template(prefill), "keep": False}) if prefill else asked


def made_rows(name: str, settings: DataSettings) -> Iterator[Any]:
    """The rows of one of the sets that samples are made of, by its name in methods.NEEDS."""
    kinds = {making.writes: making.record for making in MAKING.values()}
    kind = kinds.get(name)
    return islice(read_rows(Path(settings.source), kind), settings.limit) if kind else load_instructions(settings)


def paired_rows(a: Path, b: Path, limit: int | None) -> Iterator[tuple[Response, Response]]:
    """The responses of two files to the same prompts, by id.

    Raises InputError where they have no id in common, or one id stands for two prompts.
    """
    of_b = {row.id: row for row in read_rows(b, Response)}
    found = islice(((row, of_b[row.id]) for row in read_rows(a, Response) if row.id in of_b), limit)
    pair = next(found, None)
    if pair is None:
        raise InputError(f"{a} and {b}: no id in both; compare responses to the same prompts")
    for one, other in chain([pair], found):
        if one.prompt != other.prompt:
            raise InputError(f"{a} and {b}: id {one.id!r} is of two prompts; compare responses to the same prompts")
        yield one, other


def copies(rows: Iterable[RowType], count: int) -> Iterator[RowType]:
    """Every row `count` times; further copies have ids of their own, `ID+2` and so on."""
    for row in rows:
        yield row
        for number in range(2, count + 1):
            yield row.model_copy(update={"id": f"{row.id}+{number}"})


def count_rows(settings: DataSettings, name: str = "instructions") -> int | None:
    """Rows of a local set, all of them read, so that a bad one is refused before a model loads; no hub set is read."""
    return count(made_rows(name, settings)) if source_files(settings.source) else settings.limit


def count(rows: Iterable[Any]) -> int:
    """How many rows an iterator gives."""
    return sum(1 for _ in rows)


def identity(rows: DataSettings, out: Path | None = None) -> dict[str, Any]:
    """What a set is, for fingerprints: which rows of it are taken, and hashes of its files.

    A file of the user's counts by its content, so that it can be moved; a bundled set and one of the hub by their names.

    Raises InputError where `out`, which will be written from these rows, is one of the files.
    """
    files = source_files(rows.source)
    if out and out.resolve() in [path.resolve() for path in files]:
        raise InputError(f"{out}: is read here, and would be replaced; choose another output")
    named = not files or rows.source.startswith(BUNDLED_PREFIX)
    taken = rows.model_dump(mode="json", exclude={"source", "kind"})
    return {
        "rows": taken | ({"source": rows.source} if named else {}),
        "inputs": [file_digest(path) for path in files],
    }
