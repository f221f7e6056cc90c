"""`probe`: the bundled probe that judges systems."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The bundled probe."""
    from amends.judges.probe import ProbeJudge

    return ProbeJudge("probe")


JUDGES.register("probe", JudgeKind("`probe`", "the bundled probe that judges systems", make=make))
