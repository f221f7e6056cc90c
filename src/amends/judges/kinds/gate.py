"""`gate`: the bundled probe that decides what is trained on."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The bundled probe."""
    from amends.judges.probe import ProbeJudge

    return ProbeJudge("gate")


JUDGES.register("gate", JudgeKind("`gate`", "the bundled probe that decides what is trained on", make=make))
