"""What a look found: one line each, with what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from amends.errors import AmendsError, ConfigError
from amends.text.display import for_terminal

State = Literal["ok", "note", "stop"]
"""As it should be; worth knowing; in the way of a run."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: was looked at, such as `memory to train`.
        state: whether it is as it should be, worth knowing, or in the way.
        found: what it is.
        remedy: what to do; of what is refused it stands in `found`, as a run would say it.

    Example:
        >>> print(Finding("disk space", "note", "1.2 GB are free", "delete old runs"))
        note  disk space               1.2 GB are free; delete old runs
    """

    what: str
    state: State
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        """One line."""
        return f"{self.state:<5} {self.what:<24} {self.found}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All that was looked at.

    Attributes:
        findings: in the order in which they were looked at.
    """

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is in the way of a run."""
        return all(one.state != "stop" for one in self.findings)

    def as_json(self) -> dict[str, Any]:
        """All of it, as --json prints it."""
        return {"passed": self.passed, "findings": [asdict(one) for one in self.findings]}

    def __str__(self) -> str:
        """A line each, and what it comes to."""
        wrong = sum(one.state == "stop" for one in self.findings)
        said = "nothing is in the way" if self.passed else f"{wrong} in the way: the lines that begin with stop"
        return for_terminal("\n".join([*map(str, self.findings), said]))

    def __repr__(self) -> str:
        """The same, so that a notebook's last line shows it."""
        return str(self)


def looked(what: str, look: Callable[[], Iterable[Finding] | None]) -> Iterator[Finding]:
    """What a look finds, if anything; where amends refuses something in it, a finding for each problem, in the way."""
    try:
        yield from look() or ()
    except ConfigError as error:
        yield from (Finding(what, "stop", _in_a_line(problem)) for problem in error.problems)
    except AmendsError as error:
        yield Finding(what, "stop", _in_a_line(str(error)))


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
