"""A judge by its name in a configuration or on the command line."""

from pydantic import BaseModel

from amends.errors import InputError
from amends.judges.asking import Writer
from amends.judges.guard import GuardJudge
from amends.judges.language_model import LanguageModelJudge, Rating
from amends.judges.preference import Choice, PreferenceJudge
from amends.judges.probe import ProbeJudge
from amends.models import endpoint
from amends.models.endpoint import EndpointModel
from amends.models.local import LocalModel
from amends.protocols import Judge

ENDPOINT, LOCAL, GUARD = endpoint.PREFIX, "local:", "guard:"


def load_judge(name: str) -> Judge:
    """`probe`, `gate` or a probe file; `endpoint:MODEL@URL`; `local:MODEL`; `guard:MODEL`. Raises InputError for others.

    An endpoint's key is taken from the environment (OPENAI_API_KEY), and is neither logged nor stored.
    """
    if name.startswith((ENDPOINT, LOCAL)):
        return LanguageModelJudge(_language_model(name, Rating))
    if name.startswith(GUARD):
        return GuardJudge(name.removeprefix(GUARD))
    return ProbeJudge(name)


def load_preference_judge(name: str) -> PreferenceJudge:
    """`endpoint:MODEL@URL` or `local:MODEL`. Raises InputError for others: a probe rates one response at a time."""
    if not name.startswith((ENDPOINT, LOCAL)):
        raise InputError(f"judge {name!r} cannot compare two responses; name endpoint:MODEL@URL or local:MODEL")
    return PreferenceJudge(_language_model(name, Choice))


def _language_model(name: str, form: type[BaseModel]) -> Writer:
    if name.startswith(LOCAL):
        return LocalModel(name.removeprefix(LOCAL))
    return EndpointModel.named(name, form)
