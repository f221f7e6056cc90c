"""A table whose cells are text: as the terminal prints it, row by row where it is too narrow, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from amends.text.display import for_markdown, for_terminal

if TYPE_CHECKING:
    import rich.console
    import rich.table

REMARK_WIDTH = 24
"""Columns of a terminal below which a remark, which is words and may be wrapped, is not made narrower."""


class Table(NamedTuple):
    """Rows of text cells under headings: columns of names, then of numbers, then of remarks.

    `above` is what has to be known before any number of it; `note` says below it how it is read.
    """

    title: str
    note: str
    names: Sequence[str]
    numbers: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str] = ()
    above: str = ""

    @property
    def headings(self) -> list[str]:
        """Those of all columns, in order."""
        return [*self.names, *self.numbers, *self.remarks]

    def __rich_console__(
        self, console: rich.console.Console, options: rich.console.ConsoleOptions
    ) -> Iterator[rich.console.RenderableType]:
        """As rich prints it: no name and no number is ever cut or broken, nor is a column left out.

        Where the terminal is narrower than all columns together, a row's cells stand below each other.
        """
        from rich.text import Text

        for text, style in ((self.above, "bold yellow"), (self.title, "bold")):
            if text:
                yield Text(for_terminal(text), style)
        columns = self._columns()
        gaps = 2 * (len(columns) - 1)
        if sum(least for least, _ in columns) + gaps <= options.max_width:
            yield self._grid(_spread(columns, options.max_width - gaps))
        else:
            yield from self._stacked(options.max_width)
        if self.note:
            yield Text(for_terminal(self.note), "dim")

    def _columns(self) -> list[tuple[int, int]]:
        """Of each column, the width below which something would be broken, and the one at which nothing is wrapped."""
        from rich.cells import cell_len

        found = []
        for place, heading in enumerate(self.headings):
            cells = [cell_len(line) for row in self.rows for line in for_terminal(row[place]).split("\n")] or [0]
            words, lines = for_terminal(heading).split() or [""], for_terminal(heading).split("\n")
            of_heading = max(map(cell_len, words)), max(map(cell_len, lines))
            widest = max(cells)
            least = min(widest, REMARK_WIDTH) if place >= len(self.names) + len(self.numbers) else widest
            found.append((max(least, of_heading[0]), max(widest, of_heading[1])))
        return found

    def _grid(self, widths: Sequence[int]) -> rich.table.Table:
        from rich import box
        from rich.table import Table as Terminal
        from rich.text import Text

        table = Terminal(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for heading, width in zip(self.headings, widths, strict=True):
            justify: rich.console.JustifyMethod = "right" if heading in self.numbers else "left"
            # Text, not str: names are never read as markup.
            table.add_column(Text(for_terminal(heading)), justify=justify, width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(for_terminal(cell)) for cell in row))
        return table

    def _stacked(self, width: int) -> Iterator[rich.console.RenderableType]:
        """The names of a row on one line, and below them a line for each number and remark."""
        from rich.cells import cell_len
        from rich.table import Table as Terminal
        from rich.text import Text

        headings = [" ".join(for_terminal(heading).split()) for heading in self.headings]
        named = len(self.names)
        told = max((cell_len(heading) for heading in headings[named:]), default=0)
        if named > 1:
            yield Text(" · ".join(headings[:named]), "dim")
        for row in self.rows:
            cells = [" ".join(for_terminal(cell).split()) for cell in row]
            yield Text(" · ".join(filter(None, cells[:named])), "bold", overflow="fold")
            table = Terminal.grid(padding=(0, 2, 0, 0))
            table.add_column(width=0)
            table.add_column(width=min(told, width // 2 - 2))
            table.add_column(overflow="fold")
            for heading, cell in zip(headings[named:], cells[named:], strict=True):
                if cell:
                    table.add_row("", Text(heading), Text(cell))
            yield table

    def markdown(self) -> str:
        """As a section of a page: heading, what has to be known before, pipe table, note."""
        rules = ["---:" if heading in self.numbers else "---" for heading in self.headings]
        lines = [map(for_markdown, self.headings), *map(self._markdown_cells, self.rows)]
        headings, *rows = (f"| {' | '.join(line)} |" for line in lines)
        above = [f"**{for_markdown(self.above)}**", ""] if self.above else []
        return "\n".join(
            [f"## {for_markdown(self.title)}", "", *above, headings, f"|{'|'.join(rules)}|", *rows, "", f"{self.note}."]
        )

    def _markdown_cells(self, cells: Sequence[str]) -> list[str]:
        """Numbers and remarks are in our words: they keep the brackets of their intervals."""
        names, ours = cells[: len(self.names)], cells[len(self.names) :]
        return [*map(for_markdown, names), *(re.sub(r"([\\|<&])", r"\\\1", cell) for cell in ours)]


def _spread(columns: Sequence[tuple[int, int]], width: int) -> list[int]:
    """Widths of columns from their least and most: what is left of a width goes to the first that would use it."""
    spare, found = width - sum(least for least, _ in columns), []
    for least, most in columns:
        added = min(spare, most - least)
        found.append(least + added)
        spare -= added
    return found
