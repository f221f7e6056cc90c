"""How many of a judge's answers could be read: counted where it judges, taken along with a chunk, said by the run."""

from typing import NamedTuple


class Counted(NamedTuple):
    """Answers that were asked for, and those of them that could not be read, with one of these."""

    asked: int = 0
    unread: int = 0
    example: str = ""

    def said(self, who: str, form: str) -> str:
        """A line about answers of which most could not be read; else an empty one.

        Args:
            who: gave the answers.
            form: what they were read as, such as `rating`.
        """
        if 2 * self.unread <= self.asked:
            return ""
        answer = f"one of them: {_shortened(self.example)}" if self.example else "they are empty"
        return f"{who}: {self.unread} of {self.asked} answers could not be read as {form}; {answer}"


NOTHING = Counted()


class Readings:
    """What was counted since it was last taken. In another process it begins with nothing: that counts for itself.

    Example:
        >>> readings = Readings()
        >>> readings.add(Counted(asked=3, unread=2, example="I cannot rate this."))
        >>> readings.take().said("judge", "rating")
        'judge: 2 of 3 answers could not be read as rating; one of them: "I cannot rate this."'
        >>> readings.take()
        Counted(asked=0, unread=0, example='')
    """

    def __init__(self) -> None:
        self._counted = NOTHING

    def __reduce__(self) -> tuple[type["Readings"], tuple[()]]:
        return Readings, ()

    def add(self, more: Counted) -> None:
        """Counts more answers, read here or elsewhere."""
        asked, unread, example = self._counted
        self._counted = Counted(asked + more.asked, unread + more.unread, example or more.example)

    def take(self) -> Counted:
        """What was counted, which is then forgotten."""
        taken, self._counted = self._counted, NOTHING
        return taken


SHOWN = 120  # characters of an answer that could not be read


def _shortened(text: str) -> str:
    """The beginning of a text on one line, with all that does not print escaped."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line[:SHOWN])[:SHOWN]
    return f'"{shown}"' + (" ..." if len(line) > SHOWN else "")
