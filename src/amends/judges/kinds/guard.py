"""`guard:MODEL`: a guard model by its own template: Llama Guard, ShieldGemma, Granite Guardian, WildGuard."""

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.prompts import Language


def make(argument: str, language: Language) -> Judge:
    """The guard model of that name, which tells its family."""
    from amends.judges.guard import GuardJudge

    return GuardJudge(argument)


JUDGES.register("guard", JudgeKind("guard:MODEL", "a guard model loaded here, by its own template", make=make))
