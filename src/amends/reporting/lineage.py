"""What became of one row of a run: its texts, the guides tried, the gate's reasons, its samples, every verdict."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from amends.text.display import for_terminal, shortened

CHARACTERS_SHOWN = 160
NAME_WIDTH = 14


@dataclass(frozen=True)
class Excerpt:
    """A text of a row; `harmful`: nobody has said that it is harmless."""

    text: str
    harmful: bool = False

    def shown(self, full: bool) -> str:
        """The text whole; else on one line and cut, and of a harmful one its length alone."""
        if full or not self.text:
            return self.text
        if self.harmful:
            return f"[folded, {len(self.text)} characters]"
        return shortened(self.text, CHARACTERS_SHOWN)


@dataclass(frozen=True)
class Attempt:
    """A text that was tried for the row: under which guide (`origin`: the data's own), and why it was not taken."""

    guide: str
    rejected: str = ""


@dataclass(frozen=True)
class Station:
    """One place of a run where the row stands.

    Attributes:
        file: relative to the run directory.
        row: its id there, which may have an ending: of a sample, of a copy.
        facts: what is known of it, such as `passed`, `guide`, `verdict`; None and "" are left out where it is shown.
        texts: by name.
        attempts: in turn, of what a stage made.
    """

    file: str
    row: str
    facts: Mapping[str, Any]
    texts: Mapping[str, Excerpt]
    attempts: Sequence[Attempt] = ()

    def as_json(self, full: bool) -> dict[str, Any]:
        """All of it."""
        tried = [vars(one) for one in self.attempts]
        texts = {name: one.shown(full) for name, one in self.texts.items()}
        return {"file": self.file, "id": self.row, **self.facts, "attempts": tried, "texts": texts}

    def lines(self, full: bool) -> Iterator[str]:
        """The place and its facts, then a line for each text and attempt."""
        told = ", ".join(f"{name} {_plain(value)}" for name, value in self.facts.items() if value not in (None, ""))
        yield f"{self.file}  {self.row}" + (f"  ({told})" if told else "")
        for number, one in enumerate(self.attempts, start=1):
            yield f"  {f'attempt {number}':<{NAME_WIDTH}} {one.guide}: {one.rejected or 'passed'}"
        for name, excerpt in self.texts.items():
            yield f"  {name:<{NAME_WIDTH}} " + excerpt.shown(full).replace("\n", "\n" + " " * (NAME_WIDTH + 3))


@dataclass(frozen=True, repr=False)
class Lineage:
    """What became of one row of a run.

    Attributes:
        directory: the run's; of several seeds that seed's.
        row: the row's id.
        stations: where it stands, from the set that it comes from to the last verdict.
        verdicts: by suite and inference, what each method's answers to it were called, in the run's order of methods.
        full: whether texts are shown whole, and harmful ones at all.
    """

    directory: Path
    row: str
    stations: tuple[Station, ...]
    verdicts: Mapping[str, Mapping[str, list[str]]] = field(default_factory=dict)
    full: bool = False

    def as_json(self) -> dict[str, Any]:
        """All of it, as --json prints it."""
        stations = [one.as_json(self.full) for one in folded(self.stations)]
        return {
            "directory": str(self.directory),
            "row": self.row,
            "stations": stations,
            "verdicts": {place: dict(found) for place, found in self.verdicts.items()},
        }

    def __str__(self) -> str:
        """All of it, to be read."""
        lines = [f"{self.directory}: row {self.row}"]
        for one in folded(self.stations):
            lines += ["", *one.lines(self.full)]
        if self.verdicts:
            lines += ["", "verdicts by method, of each draw; vanilla is the model before training"]
        for place, found in self.verdicts.items():
            told = (f"{method} {'/'.join(said)}" for method, said in found.items())
            lines.append(f"  {place}: {', '.join(told)}")
        if not self.full and any(text.harmful for one in self.stations for text in one.texts.values()):
            lines += ["", "Texts that may be harmful are folded; --full (from Python: full=True) shows them."]
        return for_terminal("\n".join(lines))

    def __repr__(self) -> str:
        """The same, so that a notebook's last line shows it."""
        return str(self)


def folded(stations: Sequence[Station]) -> Iterator[Station]:
    """The stations, with each text that holds another's harmful text marked as harmful, too: a sample's prompt, say."""
    harmful = {text.text for one in stations for text in one.texts.values() if text.harmful and text.text}
    for one in stations:
        held = {name for name, text in one.texts.items() if any(other in text.text for other in harmful)}
        texts = {name: Excerpt(text.text, text.harmful or name in held) for name, text in one.texts.items()}
        yield replace(one, texts=texts)


def attempts_of(guides: Iterable[str], count: int, rejections: Sequence[str], passed: bool) -> list[Attempt]:
    """What was tried for a row, in turn: first the data's own text where it was, then so many texts of the model's."""
    of_data = len(rejections) + passed - count
    named = ["origin"] * of_data + list(islice(guides, count))
    return [Attempt(guide, reason) for guide, reason in zip(named, [*rejections, ""], strict=False)]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
