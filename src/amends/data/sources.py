"""Loads instructions by name: a bundled set, files of the user's, or a data set of the Hugging Face hub."""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from amends.data.files import DEFAULT_SPLIT, Files, find_files
from amends.data.lines import RawRow, require_file
from amends.data.mapping import map_row
from amends.data.memory import raw_rows
from amends.data.readers import can_be_read, read_files, with_class_names
from amends.data.rows import of_kind, validate_rows
from amends.data.selection import selected, suited
from amends.data.settings import DataSettings, value_text
from amends.errors import InputError, closest
from amends.records import Instruction, PromptRecord, questions_in
from amends.seeds import derive_seed
from amends.storage.files import expanded
from amends.text.normalized import prompt_key

BUNDLED_PREFIX = "bundled:"
BUNDLED_DIRECTORY = Path(__file__).parent / "bundled"
BUNDLED_SPLITS = {
    "redteam": ("train", "test"),
    "benign": ("train", "test"),
    "borderline": ("train",),
    "overrefusal": ("test",),
    "attacks": ("test",),
    "instructions": ("test",),
}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")  # with a configuration of the set behind the colon
MAX_OVERLAPS_NAMED = 5


def load_instructions(settings: DataSettings) -> Iterator[Instruction]:
    """The instructions of a set, one at a time. Only ids (and 8 bytes a prompt) are kept in memory.

    Args:
        settings: `columns` are our column names to those of the source; without it, known formats are recognised
            (`mapping`). `split` is of a hub data set or of a directory that has splits, "train" unless given; of other
            files, their rows with this value in column `split`. `where` takes rows by the values of the source's
            columns. A suite's `kind` refuses prompts that are said not to suit it. `distinct_prompts` keeps one row of
            those with the same normalised prompt, the first with `chosen` where there is one, for which the set is read
            twice; `limit` counts last; with `draw` it takes any rows, for which all
            are read.

    Raises:
        InputError: at once for a source that does not exist, on iteration for a row that cannot be used.

    Example:
        >>> rows = load_instructions(DataSettings(source="bundled:redteam/test", limit=3))
        >>> len(list(rows))
        3
    """
    return _instructions(settings, *_raw(settings))


def raw_rows_of(settings: DataSettings) -> Iterator[RawRow]:
    """The same rows as they stand in the source, before anything is made of them. Raises InputError as loading does.

    Example:
        >>> next(raw_rows_of(DataSettings(source="bundled:redteam/test"))).values["split"]
        'test'
    """
    return _taken(settings, *_raw(settings))


def _raw(settings: DataSettings) -> tuple[Callable[[], Iterator[RawRow]], str | None, bool]:
    """What reads a set's raw rows, the value of their column `split`, and whether they can be read again."""
    files = _resolve(settings.source, settings.split)
    if files is None:
        split = settings.split or DEFAULT_SPLIT
        return lambda: _read_hub(settings.source, split), None, False
    return lambda: read_files(files.paths), files.split, True


def given_instructions(given: object, settings: DataSettings) -> Iterator[Instruction]:
    """The instructions among rows in memory (`memory.raw_rows`), by the layouts and checks of files.

    Args:
        given: a list of mappings, a `datasets.Dataset` or a pandas frame.
        settings: as of files: `split` takes the rows with that value in their column `split`; `source` is what errors
            call the rows.

    Raises:
        InputError: at once for what holds no rows, on iteration for a row that cannot be used, by its number.

    Example:
        >>> (row,) = given_instructions([{"prompt": "Hello?"}], DataSettings(source="mine"))
        >>> row.id, row.prompt
        ('row-00000001', 'Hello?')
    """
    rows = raw_rows(given)
    return _instructions(settings, lambda: iter(rows), settings.split, again=True)


def _instructions(
    settings: DataSettings, raw: Callable[[], Iterator[RawRow]], split: str | None, again: bool
) -> Iterator[Instruction]:
    """Instructions of raw rows; `split` is a value of their column `split`, `again` whether they can be read again."""
    drawn = settings.draw is not None and settings.limit is not None

    def rows() -> Iterator[RawRow]:
        return _taken(settings, raw, split, again)

    def mapped(row: RawRow) -> RawRow:
        values = (row if settings.columns else of_kind(row, Instruction)).values
        try:
            return RawRow(row.number, row.place, map_row(values, settings.columns, row.number))
        except InputError as error:
            raise InputError(f"{row.place}: {error}") from None

    def read() -> Iterator[Instruction]:
        return validate_rows(rows(), Instruction, settings.source, mapped, again=rows if again else None)

    found = _distinct(read) if settings.distinct_prompts else read()
    if drawn:
        return draw_rows(found, settings.limit or 0, settings.draw or 0)
    return islice(found, settings.limit) if settings.distinct_prompts else found


def _taken(
    settings: DataSettings, raw: Callable[[], Iterator[RawRow]], split: str | None, again: bool
) -> Iterator[RawRow]:
    """The raw rows that are taken by their values, and by number where that counts before all else."""
    # What is behind the limit is not looked at; where one row of each prompt is taken, it counts after that.
    drawn = settings.draw is not None and settings.limit is not None
    limit = None if settings.distinct_prompts or drawn else settings.limit
    where, is_for = settings.where or {}, settings.is_for
    if split is not None:
        where = {**where, "split": [value_text(split)]}
    found = selected(raw(), where, settings.source, limit, again) if where else islice(raw(), limit)
    return suited(found, *is_for, where, again) if is_for else found


def draw_rows(rows: Iterable[Instruction], count: int, seed: int) -> Iterator[Instruction]:
    """So many rows, drawn by a seed and the rows' ids alone, in their order; all where there are no more.

    Another order of the file draws the same rows, and of a longer file most of those are the same. `count` rows are
    held in memory.
    """
    placed = heapq.nsmallest(count, enumerate(rows), key=lambda one: derive_seed(seed, "rows", one[1].id))
    return (row for _, row in sorted(placed, key=lambda one: one[0]))


def source_files(source: str, split: str | None = None) -> list[Path]:
    """The local files behind a source, for fingerprints; none for a hub id. Raises InputError as loading does.

    Example:
        >>> [path.name for path in source_files("bundled:redteam/test")]
        ['redteam.jsonl']
    """
    files = _resolve(source, split)
    return list(files.paths) if files else []


def check_disjoint(train: Iterable[PromptRecord], evaluation: Iterable[tuple[str, PromptRecord]]) -> None:
    """Refuses evaluation prompts that are, normalised, among the training instructions (invariant 4, CONTRIBUTING.md).

    One that stands within a longer conversation is among them, too.

    Args:
        train: streamed.
        evaluation: (suite name, instruction) pairs, of which ids and prompt hashes are held in memory.

    Raises:
        InputError: names the first overlaps by both ids, their number and the remedy.
    """
    held: dict[bytes, list[tuple[str, str]]] = {}
    for suite, instruction in evaluation:
        held.setdefault(prompt_key(next(questions_in(instruction.prompt))), []).append((suite, instruction.id))
    overlaps = [
        f"{suite} '{evaluated}' is training instruction '{trained.id}'"
        for trained in train
        for question in questions_in(trained.prompt)
        for suite, evaluated in held.pop(prompt_key(question), [])
    ]
    if overlaps:
        count = f"{len(overlaps)} evaluation prompt" + ("s are" if len(overlaps) > 1 else " is")
        named = "; ".join(overlaps[:MAX_OVERLAPS_NAMED]) + ("; ..." if len(overlaps) > MAX_OVERLAPS_NAMED else "")
        raise InputError(
            f"{count} also among the training instructions, so that the result would show memory, not safety: {named}. "
            "Take these rows out of the training file, or evaluate on a held-out split"
        )


def _resolve(source: str, split: str | None) -> Files | None:
    """The files of a source; None for a data set of the hub."""
    if source.startswith(BUNDLED_PREFIX):
        return _resolve_bundled(source, split)
    path = expanded(source)
    if HUB_ID.fullmatch(source) and not path.parent.exists() and not can_be_read(path):
        return None
    return find_files(path, split)


def _resolve_bundled(source: str, split: str | None) -> Files:
    """The files of a bundled set, or of several that are joined by `+`: bundled:benign+borderline/train."""
    known = [f"{BUNDLED_PREFIX}{name}/{part}" for name, parts in BUNDLED_SPLITS.items() for part in parts]
    names, _, own_split = source.removeprefix(BUNDLED_PREFIX).partition("/")
    for named in (f"{BUNDLED_PREFIX}{name}/{own_split}" for name in names.split("+")):
        if named not in known:
            close = closest(named, known)
            suggestion = f"did you mean {close}? " if close else ""
            raise InputError(f"{source}: no such bundled set; {suggestion}There are {', '.join(known)}")
    if split not in (None, own_split):
        raise InputError(f"{source}: split is '{split}', but the source names its own; leave split out")
    paths = tuple(BUNDLED_DIRECTORY / f"{name}.jsonl" for name in dict.fromkeys(names.split("+")))
    for path in paths:
        require_file(path)
    return Files(paths, own_split)


def _read_hub(name: str, split: str) -> Iterator[RawRow]:
    import datasets

    path, _, configuration = name.partition(":")
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # a counter at another host, which the user did not name
    try:
        rows = datasets.load_dataset(path, configuration or None, split=split, streaming=True)
        features = getattr(rows, "features", None) or {}  # which are not known of every set
        classes = {column: one.names for column, one in features.items() if isinstance(one, datasets.ClassLabel)}
        for number, values in enumerate(rows, start=1):
            yield RawRow(number, f"{name} (hub, split {split}): row {number}", with_class_names(values, classes))
    except Exception as error:  # Whatever fails over there (network, rights, format) has its own class of error.
        remedy = "check the name, its configuration (owner/name:CONFIGURATION), the split and the connection"
        if datasets.config.HF_HUB_OFFLINE:
            remedy = "HF_HUB_OFFLINE is set: unset it"
        reason = f"{name}: no such file, and it cannot be read as a hub data set, split '{split}' ({error})"
        raise InputError(f"{reason}; {remedy}, or name a local file") from error


def _distinct(read: Callable[[], Iterator[Instruction]]) -> Iterator[Instruction]:
    """One row a prompt; a pair that was rated alike, and has no answer, takes no place from one that has."""
    answered = {prompt_key(str(instruction.prompt)) for instruction in read() if instruction.chosen}
    seen: set[bytes] = set()
    for instruction in read():
        key = prompt_key(str(instruction.prompt))
        if key not in seen and (instruction.chosen or key not in answered):
            seen.add(key)
            yield instruction
