"""Loads instructions by name: a bundled set, a file (JSONL, JSON, Parquet), or a data set of the Hugging Face hub."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from amends.config import DataSettings
from amends.data.mapping import map_row
from amends.data.normalize import prompt_key
from amends.data.rows import RawRow, object_or_why_not, parse_json, printable, read_objects, require_file, validate_rows
from amends.errors import InputError
from amends.records import Instruction
from amends.store import expanded

BUNDLED_PREFIX = "bundled:"
BUNDLED_DIRECTORY = Path(__file__).parent / "bundled"
BUNDLED_SPLITS = {
    "redteam": ("train", "test"),
    "benign": ("train", "test"),
    "overrefusal": ("test",),
    "attacks": ("test",),
}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")  # with a configuration of the set behind the colon
PARQUET_BATCH_ROWS = 256
MAX_OVERLAPS_NAMED = 5


@dataclass(frozen=True)
class _Origin:
    """Where the rows come from: a file, or the hub where there is no `path`. `split` None takes all rows of a file."""

    path: Path | None
    split: str | None


def load_instructions(settings: DataSettings) -> Iterator[Instruction]:
    """The instructions of a set, one at a time. Only ids (and 8 bytes a prompt) are kept in memory.

    Args:
        settings: `columns` are our column names to those of the source; without it, known formats are recognised
            (`mapping`). `split` is of a hub data set, "train" unless given; of a file, its rows with this value in their
            `split` column. `distinct_prompts` keeps one row of those with the same normalised prompt, the first with
            `chosen` where there is one, for which the set is read twice; `limit` counts last.

    Raises:
        InputError: at once for a source that does not exist, on iteration for a row that cannot be used.
    """
    source, origin = settings.source, _resolve(settings.source, settings.split)

    def read() -> Iterator[Instruction]:
        if origin.path is None:
            rows = _read_hub(source, origin.split or "train")
        else:
            rows = _reader(origin.path)(origin.path)
            rows = rows if origin.split is None else _of_split(rows, origin.split, source)
        rows = rows if settings.distinct_prompts else islice(rows, settings.limit)  # what is behind is not looked at
        return validate_rows(rows, Instruction, source, mapped, reads_on=origin.path is not None)

    def mapped(row: RawRow) -> RawRow:
        values = row.values
        try:
            return RawRow(row.number, row.place, map_row(values, settings.columns, row.number))
        except InputError as error:
            raise InputError(f"{row.place}: {error}") from None

    return islice(_distinct(read) if settings.distinct_prompts else read(), settings.limit)


def source_files(source: str, split: str | None = None) -> list[Path]:
    """The local files behind a source, for fingerprints; none for a hub id. Raises InputError as loading does."""
    path = _resolve(source, split).path
    return [] if path is None else [path]


def check_disjoint(train: Iterable[Instruction], evaluation: Iterable[tuple[str, Instruction]]) -> None:
    """Refuses evaluation prompts that are, normalised, among the training instructions (invariant 4, CONTRIBUTING.md).

    Args:
        train: streamed.
        evaluation: (suite name, instruction) pairs, of which ids and prompt hashes are held in memory.

    Raises:
        InputError: names the first overlaps by both ids, their number and the remedy.
    """
    held: dict[bytes, list[tuple[str, str]]] = {}
    for suite, instruction in evaluation:
        held.setdefault(prompt_key(instruction.prompt), []).append((suite, instruction.id))
    overlaps = [
        f"{suite} '{evaluated}' is training instruction '{trained.id}'"
        for trained in train
        for suite, evaluated in held.pop(prompt_key(trained.prompt), [])
    ]
    if overlaps:
        count = f"{len(overlaps)} evaluation prompt" + ("s are" if len(overlaps) > 1 else " is")
        named = "; ".join(overlaps[:MAX_OVERLAPS_NAMED]) + ("; ..." if len(overlaps) > MAX_OVERLAPS_NAMED else "")
        raise InputError(
            f"{count} also among the training instructions, so that the result would show memory, not safety: {named}. "
            "Take these rows out of the training file, or evaluate on a held-out split"
        )


def _resolve(source: str, split: str | None) -> _Origin:
    if source.startswith(BUNDLED_PREFIX):
        return _resolve_bundled(source, split)
    path = expanded(source)
    if HUB_ID.fullmatch(source) and not path.parent.exists() and not path.name.lower().endswith(tuple(READERS)):
        return _Origin(None, split)
    require_file(path)
    _reader(path)
    return _Origin(path, split)


def _resolve_bundled(source: str, split: str | None) -> _Origin:
    known = [f"{BUNDLED_PREFIX}{name}/{part}" for name, parts in BUNDLED_SPLITS.items() for part in parts]
    if source not in known:
        close = difflib.get_close_matches(source, known, n=1)
        suggestion = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"{source}: no such bundled set; {suggestion}There are {', '.join(known)}")
    name, own_split = source.removeprefix(BUNDLED_PREFIX).split("/")
    if split not in (None, own_split):
        raise InputError(f"{source}: split is '{split}', but the source names its own; leave split out")
    path = BUNDLED_DIRECTORY / f"{name}.jsonl"
    require_file(path)
    return _Origin(path, own_split)


def _reader(path: Path) -> Callable[[Path], Iterator[RawRow]]:
    for ending, reader in READERS.items():
        if path.name.lower().endswith(ending):
            return reader
    endings = ", ".join(READERS)
    raise InputError(f"{path}: the format is not known by the file's name; it has to end in one of {endings}")


def _read_list(path: Path) -> Iterator[RawRow]:
    """A JSON list has to be read whole; a large set belongs in JSONL or Parquet."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}); check its permissions") from error
    values = parse_json(raw, str(path))
    if not isinstance(values, list):
        raise InputError(f"{path}: not a list of objects; if it has one object a line, name it .jsonl")
    for number, value in enumerate(values, start=1):
        place = f"{path}: row {number}"
        yield RawRow(number, place, object_or_why_not(value, place))


def _read_parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield RawRow(number, f"{path}: row {number}", values)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = f"{path}: cannot be read as Parquet after row {number} ({error})"
        raise InputError(f"{reason}; check that it is complete, or write it again") from error


def _read_hub(name: str, split: str) -> Iterator[RawRow]:
    import datasets

    path, _, configuration = name.partition(":")
    try:
        rows = datasets.load_dataset(path, configuration or None, split=split, streaming=True)
        for number, values in enumerate(rows, start=1):
            yield RawRow(number, f"{name} (hub, split {split}): row {number}", values)
    except Exception as error:  # Whatever fails over there (network, rights, format) has its own class of error.
        remedy = "check the name, its configuration (owner/name:CONFIGURATION), the split and the connection"
        if datasets.config.HF_HUB_OFFLINE:
            remedy = "HF_HUB_OFFLINE is set: unset it"
        reason = f"{name}: no such file, and it cannot be read as a hub data set, split '{split}' ({error})"
        raise InputError(f"{reason}; {remedy}, or name a local file") from error


def _of_split(rows: Iterable[RawRow], split: str, source: str) -> Iterator[RawRow]:
    others: set[str] = set()
    found = False
    for row in rows:
        value = row.found.get("split") if isinstance(row.found, dict) else split  # what cannot be read is told later
        if not isinstance(value, str):
            remedy = "leave split out (`split=null`) to take all rows"
            yield RawRow(row.number, row.place, InputError(f"{row.place}: column 'split' holds no text; {remedy}"))
        elif value == split:
            found = True
            yield row
        else:
            others.add(printable(value))
    if others and not found:
        raise InputError(f"{source}: no row has the split '{split}'; there are {', '.join(sorted(others))}")


def _distinct(read: Callable[[], Iterator[Instruction]]) -> Iterator[Instruction]:
    """One row a prompt; a pair that was rated alike, and has no answer, takes no place from one that has."""
    answered = {prompt_key(instruction.prompt) for instruction in read() if instruction.chosen}
    seen: set[bytes] = set()
    for instruction in read():
        key = prompt_key(instruction.prompt)
        if key not in seen and (instruction.chosen or key not in answered):
            seen.add(key)
            yield instruction


READERS: dict[str, Callable[[Path], Iterator[RawRow]]] = {
    ".jsonl": read_objects,
    ".jsonl.gz": read_objects,
    ".json": _read_list,
    ".parquet": _read_parquet,
}
