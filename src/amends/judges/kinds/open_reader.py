"""`open-reader`: the bundled classifier that learnt from no label under a non-commercial licence."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The bundled classifier."""
    from amends.judges.classifier import ClassifierJudge
    from amends.judges.probe import bundled_weights

    return ClassifierJudge(bundled_weights("open-reader"))


JUDGES.register(
    "open-reader",
    JudgeKind("`open-reader`", "the bundled classifier without non-commercial labels: weaker than `reader`", make=make),
)
