"""`open-gate`: the bundled gate that learnt from no label under a non-commercial licence."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The bundled probe."""
    from amends.judges.probe import ProbeJudge

    return ProbeJudge("open-gate")


JUDGES.register(
    "open-gate",
    JudgeKind("`open-gate`", "the bundled gate without non-commercial labels: weaker than `gate`", make=make),
)
