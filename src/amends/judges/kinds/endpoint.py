"""`endpoint:MODEL@URL`: a language model behind an OpenAI-compatible server, which rates what it reads."""

from pydantic import BaseModel

from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind
from amends.models.base import Model
from amends.models.endpoint.address import read_endpoint
from amends.prompts import Language


def writer(argument: str, form: type[BaseModel]) -> Model:
    """The server's model, which is told the form where the server takes it.

    The key is taken from the environment (OPENAI_API_KEY), and is neither logged nor stored.
    """
    from amends.models.endpoint.model import EndpointModel

    return EndpointModel(*read_endpoint(argument), form)


def make(argument: str, language: Language) -> Judge:
    """The judge that asks it."""
    from amends.judges.language_model import LanguageModelJudge, Rating

    return LanguageModelJudge(writer(argument, Rating), language=language)


JUDGES.register(
    "endpoint",
    JudgeKind("endpoint:MODEL@URL", "a language model behind a server, which rates", make=make, writer=writer),
)
