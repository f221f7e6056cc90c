"""Progress with rate and time left on a terminal, plain lines elsewhere; everything goes to standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amends.protocols import ProgressCallback

PLAIN_INTERVAL_SECONDS = 15.0

_Advance = Callable[[int, int, int, float], None]
"""Takes rows, how many of them are new, tokens, and seconds since the first new one."""


class Console:
    """Shows the progress of stages."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole

        self.rich = RichConsole(stderr=True, highlight=False)

    def say(self, message: str) -> None:
        """One line of news."""
        self.rich.print(message, markup=False, soft_wrap=True, style="dim")

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0) -> Iterator[ProgressCallback]:
        """Shows a stage: a bar on a terminal, else a line now and then, and a line when it is done."""
        began = new_since = time.monotonic()
        counts = {"rows": 0, "tokens": 0}
        with self._bar(name, total, unit) as advance:

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
        self.rich.print(self._line(name, counts, time.monotonic() - began, unit), markup=False, soft_wrap=True)

    @staticmethod
    def _line(name: str, counts: dict[str, int], seconds: float, unit: str) -> str:
        parts = [f"{counts['rows']} {unit}"] if counts["rows"] else []
        if counts["tokens"]:
            parts.append(f"{counts['tokens']} tokens, {counts['tokens'] / max(seconds, 1e-9):.0f}/s")
        return f"{name:<44} {seconds:6.1f} s   {', '.join(parts)}".rstrip()

    @contextmanager
    def _bar(self, name: str, total: int | None, unit: str) -> Iterator[_Advance]:
        if sys.stderr.isatty():
            with self._rich_bar(name, total, unit) as advance:
                yield advance
        else:
            yield self._plain_lines(name, total, unit)

    @contextmanager
    def _rich_bar(self, name: str, total: int | None, unit: str) -> Iterator[_Advance]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description:<40}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.rich, transient=True) as bar:
            task = bar.add_task(name, total=total, rate="")
            yield lambda rows, new, tokens, seconds: bar.update(
                task, completed=rows, rate=_rate(new, tokens, seconds, unit)
            )

    def _plain_lines(self, name: str, total: int | None, unit: str) -> _Advance:
        last = [time.monotonic()]

        def advance(rows: int, new: int, tokens: int, seconds: float) -> None:
            if time.monotonic() - last[0] < PLAIN_INTERVAL_SECONDS:
                return
            last[0] = time.monotonic()
            left = f", {seconds / new * (total - rows):.0f} s left" if total and new else ""
            of_total = f"/{total}" if total else ""
            self.rich.print(
                f"{name}: {rows}{of_total} {unit}, {_rate(new, tokens, seconds, unit)}{left}",
                markup=False,
                soft_wrap=True,
            )

        return advance


def _rate(rows: int, tokens: int, seconds: float, unit: str) -> str:
    seconds = max(seconds, 1e-9)
    return f"{tokens / seconds:.0f} tokens/s" if tokens else f"{rows / seconds:.1f} {unit}/s"
