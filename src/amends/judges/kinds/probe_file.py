"""A probe of your own, by the path of its file."""

from pathlib import Path

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def owns(name: str) -> bool:
    """Whether there is such a file."""
    return Path(name).is_file()


def make(path: str, language: Language) -> Judge:
    """The probe in the file. Raises ModelError where there is none in it."""
    from amends.judges.probe import ProbeJudge

    return ProbeJudge(path)


JUDGES.register(
    "probe-file",
    JudgeKind("the path of a probe file", "what `amends probe train` wrote, on data of your own", owns, make=make),
)
