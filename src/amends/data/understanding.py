"""What was understood of a set of rows: its layout and licence, the columns that were read, lengths, repetitions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import Any

from amends.data.layouts import recognised
from amends.data.layouts.base import Layout, plain_row
from amends.data.layouts.evidence import labels_in
from amends.data.mapping import FLAGGED, OWN_COLUMNS
from amends.data.settings import DataSettings
from amends.data.sources import BUNDLED_PREFIX, load_instructions, raw_rows_of
from amends.records import Instruction
from amends.text.normalized import prompt_key
from amends.text.words import word_count

SHOWN = 3
LOOKED_AT = 1_000  # rows, by which layouts and columns are known
LICENCES = ("license", "licence", "License", "Licence")
TEXTS = ("prompt", "chosen", "rejected")
BUNDLED_LICENCE = "Apache-2.0"


class _Watched(dict[str, Any]):
    """A row that knows which of its columns were asked for."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__(row)
        self.asked: set[str] = set()

    def __getitem__(self, column: str) -> Any:
        self.asked.add(column)
        return super().__getitem__(column)

    def get(self, column: str, default: Any = None) -> Any:
        self.asked.add(column)
        return super().get(column, default)


@dataclass
class Columns:
    """Names of columns, each in the order in which the file has them.

    Attributes:
        read: what texts, ids and categories were taken from.
        labels: what was read to say how harmful an answer or a prompt is.
        unread: all others.
    """

    read: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Understood:
    """What a set of rows was understood as.

    Attributes:
        rows: how many there are.
        layouts: what they were recognised as, the most frequent one first; as `columns` of the first LOOKED_AT rows.
        licence, address: of the rows' own column, or of the public set that the layout is of; empty where not known.
        columns: what was read, and what was not.
        words: of the rows with each text, their number, and the words of the median and of the longest one.
        repeated: rows whose normalised prompt an earlier row has.
        shown: the first rows.
    """

    rows: int
    layouts: tuple[str, ...]
    licence: str
    address: str
    columns: Columns
    words: dict[str, tuple[int, float, int]]
    repeated: int
    shown: tuple[Instruction, ...]


def understand(settings: DataSettings) -> Understood:
    """Reads a set twice, once as it stands and once as instructions; of each prompt a hash is kept in memory.

    Raises:
        InputError: as a run does, for what cannot be read; names file, line and remedy.

    Example:
        >>> found = understand(DataSettings(source="bundled:redteam/test"))
        >>> found.rows, found.layouts, found.licence
        (100, ('preference',), 'Apache-2.0')
    """
    lengths: dict[str, list[int]] = {name: [] for name in TEXTS}
    prompts: set[bytes] = set()
    shown: list[Instruction] = []
    rows = 0
    for row in load_instructions(settings):
        rows += 1
        prompts.add(prompt_key(str(row.prompt)))
        shown += [row] if len(shown) < SHOWN else []
        for name in TEXTS:
            if text := getattr(row, name):
                lengths[name].append(word_count(str(text)))
    raw = [row.values for row in islice(raw_rows_of(settings), LOOKED_AT)]
    layouts, columns = _layouts_and_columns(raw, settings.columns)
    bundled = BUNDLED_LICENCE if settings.source.startswith(BUNDLED_PREFIX) else ""
    said = dict.fromkeys(text for row in raw for name in LICENCES if isinstance(text := row.get(name), str) and text)
    return Understood(
        rows=rows,
        layouts=tuple(layout.name for layout in layouts),
        licence=bundled or ", ".join(islice(said, SHOWN)) or layouts[0].licence,
        address=layouts[0].address,
        columns=columns,
        words={name: (len(found), median(found), max(found)) for name, found in lengths.items() if found},
        repeated=rows - len(prompts),
        shown=tuple(shown),
    )


def _layouts_and_columns(
    rows: Iterable[Mapping[str, Any]], mapped: Mapping[str, str] | None
) -> tuple[list[Layout], Columns]:
    """Layouts, the most frequent first, and what was read of any row; `mapped`: our columns' names to theirs."""
    layouts: Counter[Layout] = Counter()
    named: dict[str, str] = {}  # as the file has them, by their plain names
    read, labels = set((mapped or {}).values()), set()
    for row in rows:
        values = plain_row(row)
        named |= {plain: name for plain, name in zip(values, row, strict=True) if plain not in named}
        selected = {ours: row[theirs] for ours, theirs in (mapped or {}).items()} or values
        watched = _Watched({name: values[name] for name in OWN_COLUMNS if name in values} | selected)
        layout = recognised(watched)
        if layout is None:  # it was refused when the rows were loaded
            continue
        layouts[layout] += 1
        watched.asked.clear()
        fields = layout.convert(watched)
        taken = watched.asked | fields.read | layout.understands | {*OWN_COLUMNS, *FLAGGED}
        read |= {named[name] for name in taken & values.keys() if not mapped or name in OWN_COLUMNS}
        labels |= {named[name] for name in labels_in(layout, values)}
    kinds = Columns()
    for name in named.values():
        (kinds.read if name in read else kinds.labels if name in labels else kinds.unread).append(name)
    return [layout for layout, _ in layouts.most_common()], kinds
