"""Progress with rate and time left on a terminal, plain lines elsewhere; everything goes to standard error."""

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from amends.progress import Guess, ProgressCallback, Reporter, Silent
from amends.reporting.forecast import Forecast, duration_text
from amends.text.display import for_terminal

PLAIN_INTERVAL_SECONDS = 15.0
BAR_WIDTH, LEAST_NAME = 58, 16
"""Columns that a bar takes with its numbers, and those that are left for its name on a narrow terminal."""

_Advance = Callable[[int, int, int, float], None]
"""Takes rows, how many of them are new, tokens, and seconds since the first new one."""


class Console:
    """Shows the progress of stages."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self.rich = RichConsole(stderr=True, highlight=False)
        self.forecast = Forecast({})

    def expect(self, guesses: Callable[[], Mapping[str, Guess]]) -> None:
        """Says what all of it may take, and goes on to say what is left."""
        self.forecast = Forecast(guesses())
        if left := self.forecast.left():
            self.say(
                f"{duration_text(left)} at most, by the rows and the model's size; what is left is said as it goes"
            )

    def say(self, message: str) -> None:
        """One line of news."""
        self.rich.print(for_terminal(message), markup=False, soft_wrap=True, style="dim")

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0) -> Iterator[ProgressCallback]:
        """Shows a stage: a bar on a terminal, else a line now and then, and a line when it is done."""
        began = new_since = time.monotonic()
        counts = {"rows": 0, "tokens": 0}

        def whole(new: int) -> str:
            new_rows = 0 if total is None else total - kept
            done = new / new_rows if new and new_rows > 0 else None
            return self._left(name, time.monotonic() - began, done)

        with self._bar(name, total, unit, whole) as advance:

            def progress(rows: int, tokens: int) -> None:
                nonlocal new_since
                begins = counts["rows"] < kept
                counts["rows"] += rows
                counts["tokens"] += tokens
                if begins or not any(counts.values()):  # nothing is done yet, as when training has its samples
                    new_since = time.monotonic()
                new = max(0, counts["rows"] - kept)
                advance(counts["rows"], new, counts["tokens"], time.monotonic() - new_since)

            yield progress
        seconds = time.monotonic() - began
        self.forecast.took(name, seconds)
        line = self._line(name, counts, seconds, unit, self._left())
        self.rich.print(line, markup=False, soft_wrap=True)

    def _left(self, step: str = "", passed: float = 0.0, done: float | None = None) -> str:
        left = self.forecast.left(step, passed, done)
        return "" if left is None else f"{duration_text(left)} left in all"

    @staticmethod
    def _line(name: str, counts: dict[str, int], seconds: float, unit: str, left: str) -> str:
        parts = [f"{counts['rows']} {unit}"] if counts["rows"] else []
        if counts["tokens"]:
            parts.append(f"{counts['tokens']} tokens, {counts['tokens'] / max(seconds, 1e-9):.0f}/s")
        parts += [left] if left else []
        return f"{for_terminal(name):<44} {seconds:6.1f} s   {', '.join(parts)}".rstrip()

    @contextmanager
    def _bar(self, name: str, total: int | None, unit: str, whole: Callable[[int], str]) -> Iterator[_Advance]:
        if sys.stderr.isatty() or _has_widgets(self.rich.is_jupyter):
            with self._rich_bar(name, total, unit, whole) as advance:
                yield advance
        else:
            yield self._plain_lines(name, total, unit, whole)

    @contextmanager
    def _rich_bar(self, name: str, total: int | None, unit: str, whole: Callable[[int], str]) -> Iterator[_Advance]:
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        named = Column(no_wrap=True, overflow="ellipsis", width=max(LEAST_NAME, min(44, self.rich.width - BAR_WIDTH)))
        left = whole(0)
        columns = (
            TextColumn("{task.description}", table_column=named),
            BarColumn(bar_width=10),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[whole]}") if left else TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.rich, transient=True) as bar:
            task = bar.add_task(escape(for_terminal(name)), total=total, rate="", whole=left)
            yield lambda rows, new, tokens, seconds: bar.update(
                task, completed=rows, rate=_rate(new, tokens, seconds, unit), whole=whole(new)
            )

    def _plain_lines(self, name: str, total: int | None, unit: str, whole: Callable[[int], str]) -> _Advance:
        last = [time.monotonic()]

        def advance(rows: int, new: int, tokens: int, seconds: float) -> None:
            if time.monotonic() - last[0] < PLAIN_INTERVAL_SECONDS:
                return
            last[0] = time.monotonic()
            left = f", {seconds / new * (total - rows):.0f} s left" if total and new else ""
            left += f", {in_all}" if (in_all := whole(new)) else ""
            of_total = f"/{total}" if total else ""
            self.rich.print(
                f"{for_terminal(name)}: {rows}{of_total} {unit}, {_rate(new, tokens, seconds, unit)}{left}",
                markup=False,
                soft_wrap=True,
            )

        return advance


def _has_widgets(in_notebook: bool) -> bool:
    """Whether bars can be drawn in a notebook; without its widgets, rich would warn at each of them."""
    return in_notebook and importlib.util.find_spec("ipywidgets") is not None


def _rate(rows: int, tokens: int, seconds: float, unit: str) -> str:
    seconds = max(seconds, 1e-9)
    return f"{tokens / seconds:.0f} tokens/s" if tokens else f"{rows / seconds:.1f} {unit}/s"


_quiet = False


def quiet(on: bool = True) -> None:
    """Turns progress bars and news off for what is called from Python, or with `on=False` on again.

    Args:
        on: whether nothing is shown.

    Example:
        >>> quiet()
        >>> quiet(on=False)
    """
    global _quiet
    _quiet = on


def reporter_for(progress: bool | None) -> Reporter:
    """Who is told of a call from Python: this terminal or notebook, or nobody where `progress` or `quiet` says so."""
    return Silent() if progress is False or (progress is None and _quiet) else Console()
