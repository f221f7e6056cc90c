"""`reader`: the bundled classifier, which reads more than words of refusal."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The bundled classifier."""
    from amends.judges.classifier import ClassifierJudge
    from amends.judges.probe import bundled_weights

    return ClassifierJudge(bundled_weights("reader"))


JUDGES.register(
    "reader", JudgeKind("`reader`", "the bundled classifier: the embedded model, tuned to judge", make=make)
)
