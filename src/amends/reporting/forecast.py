"""What is left of a run: guesses of its steps' seconds, put right by what finished steps of the same kind took."""

from collections.abc import Mapping

from amends.progress import Guess


class Forecast:
    """The time of several steps, of which some are finished.

    Args:
        guesses: the kind of work and the seconds of each step that is to come, by its name.

    Example:
        >>> forecast = Forecast({"mistakes": Guess("texts", 60.0), "analyses": Guess("texts", 30.0)})
        >>> forecast.took("mistakes", 20.0)
        >>> forecast.left()
        10.0
    """

    def __init__(self, guesses: Mapping[str, Guess]) -> None:
        self._guesses = guesses
        self._known: dict[str, float] = {}

    def took(self, step: str, seconds: float) -> None:
        """Notes the seconds of a step that is finished."""
        self._known[step] = seconds

    def left(self, step: str = "", passed: float = 0.0, done: float | None = None) -> float | None:
        """Seconds of all that is not finished; None where nothing was guessed, or nothing is left.

        Args:
            step: that is at work, if any.
            passed: since it began, seconds.
            done: the share of it that is done, in ]0, 1]; None where it is not known.
        """
        known = self._known | ({step: passed / done} if step in self._guesses and done else {})
        ratios = self._ratios(known)
        over_all = ratios.get("", 1.0)
        left = [
            guess.seconds * ratios.get(guess.kind, over_all)
            for name, guess in self._guesses.items()
            if name not in known and name != step
        ]
        if step in known and step not in self._known:
            left.append(max(0.0, known[step] - passed))
        elif step in self._guesses:
            guess = self._guesses[step]
            left.append(max(0.0, guess.seconds * ratios.get(guess.kind, over_all) - passed))
        return sum(left) if left else None

    def _ratios(self, known: Mapping[str, float]) -> dict[str, float]:
        """By kind of work what was taken of what was guessed; under no name that of all of it."""
        taken: dict[str, float] = {}
        guessed: dict[str, float] = {}
        for step, seconds in known.items():
            if guess := self._guesses.get(step):
                for kind in (guess.kind, ""):
                    taken[kind] = taken.get(kind, 0.0) + seconds
                    guessed[kind] = guessed.get(kind, 0.0) + guess.seconds
        return {kind: taken[kind] / guessed[kind] for kind in taken if guessed[kind] > 0}


def duration_text(seconds: float) -> str:
    """Seconds in the words of people: `40 s`, `7 min`, `2 h 10 min`, `3 days`.

    Example:
        >>> duration_text(431.0)
        '7 min'
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} days"
