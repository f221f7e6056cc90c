"""A judge by its name in a configuration or on the command line."""

from amends.errors import InputError
from amends.judges.base import Judge
from amends.judges.kinds import JUDGES
from amends.judges.preference import Choice, PreferenceJudge
from amends.prompts import Language, english


def load_judge(name: str, language: Language | None = None) -> Judge:
    """The judge of that name, of any kind that is registered (`judges/kinds`).

    Args:
        name: `probe`, `gate`, `reader`, `open-reader`, `open-gate`, a probe file, classifier:FILE, endpoint:MODEL@URL,
            local:MODEL, guard:MODEL, or one that somebody registered.
        language: that a language model is asked in; English by default.

    Raises InputError for names that are of no kind, with the nearest, and as the kind's judges do.

    Example:
        >>> load_judge("probe").name
        'probe/evaluation'
    """
    kind, argument = JUDGES.find(name)
    return kind.make(argument, language or english())


def load_preference_judge(name: str, language: Language | None = None) -> PreferenceJudge:
    """Who compares two responses: a judge that writes. Raises InputError for others, which rate one at a time.

    Example:
        >>> judge = load_preference_judge("endpoint:big@http://localhost:8000/v1")
    """
    kind, argument = JUDGES.find(name)
    if kind.writer is None:
        able = JUDGES.written(*(word for word, one in JUDGES.items() if one.writer))
        raise InputError(f"judge {name!r} cannot compare two responses; name {able}")
    return PreferenceJudge(kind.writer(argument, Choice), language=language)
