"""`local:MODEL`: a language model that is loaded here, which rates what it reads."""

from pydantic import BaseModel

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.models.base import Model
from amends.prompts import Language


def writer(argument: str, form: type[BaseModel]) -> Model:
    """The model of that name."""
    from amends.models.hf import LocalModel

    return LocalModel(argument)


def make(argument: str, language: Language) -> Judge:
    """The judge that asks it."""
    from amends.judges.language_model import LanguageModelJudge, Rating

    return LanguageModelJudge(writer(argument, Rating), language=language)


JUDGES.register(
    "local", JudgeKind("local:MODEL", "a language model loaded here, which rates", make=make, writer=writer)
)
